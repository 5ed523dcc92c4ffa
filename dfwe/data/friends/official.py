"""What is published of the benchmark: its tasks' names, and how many test instances each has."""

from __future__ import annotations

from collections.abc import Mapping

EMORY, MELD = "emory_emotion_recognition", "MELD_emotion_recognition"
QUERIES, QUESTIONS = "reading_comprehension", "question_answering"
CHARACTERS, PERSONALITY, RELATIONS = "character_identification", "personality_detection", "relation_extraction"

OFFICIAL_TEST: Mapping[str, int] = {
    EMORY: 1_912,
    QUERIES: 2_284,
    CHARACTERS: 7_803,
    QUESTIONS: 1_937,
    PERSONALITY: 550,
    RELATIONS: 1_131,
    MELD: 1_247,
}
TASKS = tuple(OFFICIAL_TEST)  # in the benchmark's order
