"""An exported classifier answers as the model that it was."""

import numpy as np
import pytest
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from dfwe.config.tasks import load_task
from dfwe.errors import ModelError
from dfwe.families.classifier.model import load_classifier
from dfwe.families.classifier.predict import ExportedClassifier, classify
from dfwe.families.classifier.tasks import answers_of, classification_task
from dfwe.records import Instance


def exported(tiny_bert, folder, name):
    task = classification_task(load_task(name))
    model = load_classifier(tiny_bert, answers={task.short: answers_of(task)}, seed=0)
    model.plain(task.short).save_pretrained(folder)
    return task, model, AutoModelForSequenceClassification.from_pretrained(folder)


def asked(network, task, tiny_bert):
    texts = ("a merry tale", "the kettle is warm", "the broth is mild and dull")
    instances = [Instance(str(n), "d", text, " emotion:", (), (), answers_of(task)) for n, text in enumerate(texts)]
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    labels = tuple(network.config.id2label.values())
    classifier = ExportedClassifier(labels, tokenizer, lambda **inputs: network.eval()(**inputs).logits)
    return classify(classifier, instances, task=task, max_tokens=64, batch_tokens=16)


def test_classify_answers_are_likeliest_labels_in_order(tiny_bert, tmp_path):
    task, _, network = exported(tiny_bert, tmp_path, "meld")
    answers = asked(network, task, tiny_bert)
    assert [answer.text for answer in answers] == [task.labels[int(answer.label_scores.argmax())] for answer in answers]
    np.testing.assert_allclose([np.exp(answer.label_scores).sum() for answer in answers], 1.0, rtol=1e-5)


def test_classify_labels_of_another_task_are_refused(tiny_bert, tmp_path):
    _, _, network = exported(tiny_bert, tmp_path, "meld")
    with pytest.raises(ModelError, match="the classifier has the labels anger, .* 'emory_emotion' has joyful"):
        asked(network, classification_task(load_task("emory_emotion")), tiny_bert)
