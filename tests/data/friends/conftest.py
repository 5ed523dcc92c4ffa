"""A small set of hand-made releases in the formats of the real ones; every sentence is invented.

Scene 1 of the first episode is in all releases, scenes 2 and 3 in the 25-utterance archive alone, the one of the second
season in FriendsQA and by text in three releases that do not tell their scenes.
"""

import io
import json
import zipfile

import pytest

MONICA, ROSS, JOEY, PHOEBE, RACHEL = "Monica Geller", "Ross Geller", "Joey Tribbiani", "Phoebe Buffay", "Rachel Green"
NOTE = "[ Scene : A kitchen , the table is full of plums . ]"
# speakers, tokens, a transcript of it, its emotion, the code of its speaker
KITCHEN = (
    (MONICA, "I 'm gon na wash forty plums before the train leaves .", "joyful", "@ent00"),
    (ROSS, "Wash mine too , I dropped them near the goat pen .", "sad", "@ent01"),
    (JOEY, "Hey !", "neutral", "@ent02"),
    (MONICA, "Somebody called Vera Quill sent us a barrel of green paint .", "powerful", "@ent00"),
    (ROSS, "Did she say `` no lids on Monday '' again ?", "mad", "@ent01"),
    ("#ALL#", "No lids on Monday !", "peaceful", "@ent04"),
)
SPOKEN = (
    "I'm gonna wash forty plums before the train leaves.",
    "Wash mine too, I dropped them near the goat pen.",
    "Hey!",
    "Somebody called Vera Quill sent us a barrel of green paint.",
    'Did she say "no lids on Monday" again?',
    "No lids on Monday!",
)
BREWERY = (
    (PHOEBE, "My cousin Tobias sells umbrellas beside the old brewery."),
    (RACHEL, "You told me he was a dentist in Norwood last winter."),
    (PHOEBE, "He pulls teeth on Thursdays and sells umbrellas when it rains."),
    (JOEY, "Does he have a purple one?"),
)


def invented(name, number):
    """So many utterances of a scene in the archive, none like another."""
    return [
        {"speakers": f"@ent{k % 2:02d}", "tokens": f"The {name} of {k} doors costs {k}0 buttons near @ent01 ."}
        for k in range(number)
    ]


def dumped(value):
    return json.dumps(value, indent=1).encode()


def friendsqa():
    def asked(name, question, *answers):
        keys = ("answer_text", "utterance_id", "is_speaker")
        return {"id": name, "question": question, "answers": [dict(zip(keys, one, strict=True)) for one in answers]}

    def scene(name, said, *qas):
        utterances = [{"uid": k, "speakers": [who], "utterance": text} for k, (who, text, *_) in enumerate(said)]
        return {"title": name, "paragraphs": [{"utterances:": utterances, "qas": qas}]}

    what = asked("s01_e01_c01_What", "What does Monica wash ?", ("forty plums", 1, False), ("plums", 1, False))
    who = asked("s01_e01_c01_Who", "Who dropped plums ?", (ROSS, 2, True))
    where = asked("s02_e01_c01_Where", "Where ?", ("the old brewery", 0, False))
    kitchen = (("#NOTE#", NOTE), *KITCHEN)
    return {"data": [scene("s01_e01_c01", kitchen, what, who), scene("s02_e01_c01", BREWERY, where)]}


def season(name, utterances):
    scene = {"scene_id": name, "utterances": utterances}
    return {"season_id": "x", "episodes": [{"episode_id": name[:7], "scenes": [scene]}]}


def emory():
    utterances = [
        {"speakers": [who], "transcript": text, "tokens": [], "emotion": emotion.capitalize()}
        for (who, _, emotion, _), text in zip(KITCHEN, SPOKEN, strict=True)
    ]
    return season("s01_e01_c01", utterances)


def characters():
    tokens = [[tokens.replace("``", '"').replace("''", '"').split()] for _, tokens, *_ in KITCHEN]
    entities = [[[]] for _ in KITCHEN]
    entities[0] = [[[0, 1, MONICA]]]
    entities[1] = [[[4, 5, ROSS], [1, 2, ROSS]]]
    entities[3] = [[[2, 4, "Vera Quill"], [5, 6, MONICA, ROSS]]]
    utterances = [
        {"speakers": [who], "transcript": text.replace("'", "’"), "tokens": words, "character_entities": names}
        for (who, *_), text, words, names in zip(KITCHEN, SPOKEN, tokens, entities, strict=True)
    ]
    return season("s01_e01_c01", utterances)


def one_line():
    note = {"speakers": [], "transcript": "", "transcript_with_note": "[Scene: An empty pier.]"}
    return season("s10_e01_c01", [note])


def queries(utterances, name, *asked):
    return [{"scene_id": name, "query": query, "answer": answer, "utterances": utterances} for query, answer in asked]


def hidden_kitchen():
    lines = [{"speakers": "", "tokens": NOTE}]
    for _, tokens, _, code in KITCHEN:
        lines.append(
            {"speakers": code, "tokens": tokens.replace("Vera Quill", "@ent03").replace("Hey", "( waves ) Hey")}
        )
    return lines


def archive():
    cellar = invented("cellar", 10)
    roof = [{"speakers": "", "tokens": "[ Scene : A roof . ]"}, *invented("roof", 17)]
    records = {
        "Trn": queries([*cellar, *roof[:15]], "s01_e01_c02", ("@placeholder counts buttons .", "@ent00"))
        + queries([*cellar[3:], *roof], "s01_e01_c03", ("@ent00 meets @placeholder .", "@ent01")),
        "Dev": [],
        "Tst": [],
    }
    return zipped({f"json-25/{part}-25.json": dumped(listed) for part, listed in records.items()})


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipping:
        for name, content in members.items():
            zipping.writestr(name, content)
    return buffer.getvalue()


def meld():
    header = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
    rows = [
        (SPOKEN[3].replace("'", "\x92"), "Monica", "surprise", 0),
        ("Did she say \x93no lids on Monday\x94 again?", "Ross", "anger", 0),
        (BREWERY[0][1], "Phoebe", "joy", 0),
        ("He pulls teeth on Thursdays", "Phoebe", "neutral", 0),
        ("and sells umbrellas when it rains.", "Phoebe", "sadness", 0),
        ("Nobody counted the seven blue boats in our harbour yesterday.", "Ada Pike", "fear", 1),
        ("Then I shall paint them all yellow.", "Ben Lowe", "disgust", 1),
    ]
    lines = [f'{k},"{text}",{who},{label},x,{number},{k},1,1,,' for k, (text, who, label, number) in enumerate(rows)]
    return "\n".join([header, *lines, ""]).encode()


def emory_table():
    header = "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,End_Time"
    labels = ("Joyful", "Mad", "Neutral", "Scared")
    said = enumerate(zip(BREWERY, labels, strict=True))
    rows = [f"\"{text}\",['{who}'],{label},7,{k},2,1,," for k, ((who, text), label) in said]
    return "\r\n".join([header, *rows, ""]).encode()


def personality():
    html = f"<b>s01_e01_c01(0) for {MONICA}</b><br><br>"
    said = zip(KITCHEN[:2], SPOKEN[:2], strict=True)
    html += "".join(f"<b>{who}</b>: <i>{text}</i> (sighs)<br><br>" for (who, *_), text in said)
    cell = (html + "(A bell rings.)<br><br>").replace('"', '""')
    return f',scene_id,text,character,cAGR,cCON,cEXT,cOPN,cNEU\n0,01_e01_c01,"{cell}",{MONICA},1,0,1,0,1\n'.encode()


def dialogre():
    def pair(x, y, *codes):
        return {"x": x, "y": y, "r": list(codes), "rid": [1], "t": [""], "x_type": "PER", "y_type": "PER"}

    codes = {PHOEBE: "Speaker 1", RACHEL: "Speaker 2", JOEY: "Speaker 3"}
    brewery = [
        [f"{codes[who]}: {text}" for who, text in BREWERY],
        [
            pair("Speaker 1", "Tobias", "per:other_family"),
            pair("Tobias", "Speaker 1", "per:other_family"),
            pair("Speaker 1", "Pheebs", "per:alternate_names"),
            pair("Speaker 2", "Speaker 3", "unanswerable"),
        ],
    ]
    lighthouse = [
        ["Speaker 1: My sister keeps a lighthouse full of geese in Oslo.", "Speaker 2, Speaker 3: Geese?"],
        [pair("Speaker 1", "Nadia", "per:alternate_names"), pair("Speaker 1", "Oslo", "per:visited_place")],
    ]
    return [brewery, lighthouse]


@pytest.fixture
def files():
    """The releases' files by path, as bytes."""
    return {
        "question_answering/friendsqa_trn.json": dumped(friendsqa()),
        "emory_emotion/emotion-detection-dev.json": dumped(emory()),
        "emory_emotion/emorynlp_train_final.csv": emory_table(),
        "character_identification/character-identification-tst.json": dumped(characters()),
        "character_mining/friends_season_10.json": dumped(one_line()),
        "reading_comprehension/reading-comprehension-dev.json": dumped(
            queries(hidden_kitchen(), "s01_e01_c01", ("@placeholder thanks @ent03 .", "@ent00"))
        ),
        "reading_comprehension/json-25.zip": archive(),
        "personality/friends-personality.csv": personality(),
        "meld/dev_sent_emo.csv": meld(),
        "dialogre/train.json": dumped(dialogre()),
    }


@pytest.fixture
def lay(tmp_path):
    """A function that writes files below a folder, which it returns."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / "raw" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tmp_path / "raw"

    return write


@pytest.fixture
def raw(files, lay):
    """The folder of the releases."""
    return lay(files)


@pytest.fixture
def pack():
    """A zip of members."""
    return zipped


@pytest.fixture
def prepared(raw):
    """What is made of them, without a known split."""
    from dfwe.data.friends.prepare import prepare
    from dfwe.data.friends.split import OfficialSplit

    return prepare(raw, official=OfficialSplit(), max_invalid_fraction=0.0)


@pytest.fixture
def dialogues(prepared):
    """The dialogues by id."""
    return {dialogue["dialogue_id"]: dialogue for dialogue in prepared.dialogues}
