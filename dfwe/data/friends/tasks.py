"""The seven tasks of FETA-Friends, with the names of people, traits and relations in them."""

from __future__ import annotations

from collections.abc import Mapping

EMORY, MELD = "emory_emotion_recognition", "MELD_emotion_recognition"
QUERIES, QUESTIONS = "reading_comprehension", "question_answering"
CHARACTERS, PERSONALITY, RELATIONS = "character_identification", "personality_detection", "relation_extraction"

OFFICIAL_TEST: Mapping[str, int] = {  # published numbers of test instances
    EMORY: 1_912,
    QUERIES: 2_284,
    CHARACTERS: 7_803,
    QUESTIONS: 1_937,
    PERSONALITY: 550,
    RELATIONS: 1_131,
    MELD: 1_247,
}
TASKS = tuple(OFFICIAL_TEST)  # in the benchmark's order

MAIN = ("Chandler Bing", "Joey Tribbiani", "Monica Geller", "Phoebe Buffay", "Rachel Green", "Ross Geller")
TRAITS = ("aggreeable", "conscientious", "extroverted", "open", "neurotic")  # the first spelt as the benchmark does

ALTERNATE, UNANSWERABLE = "per:alternate_names", "unanswerable"
RELATION_CODES = (  # those of DialogRE's version 1, in the benchmark's order
    *(f"per:{name}" for name in ("positive_impression", "negative_impression", "acquaintance", "alumni", "boss")),
    *(f"per:{name}" for name in ("subordinate", "client", "dates", "friends", "girl/boyfriend", "neighbor")),
    *(f"per:{name}" for name in ("roommate", "children", "other_family", "parents", "siblings", "spouse")),
    *(f"per:{name}" for name in ("place_of_residence", "place_of_birth", "visited_place", "origin")),
    *(f"per:{name}" for name in ("employee_or_member_of", "schools_attended", "works", "age", "date_of_birth")),
    *(f"per:{name}" for name in ("major", "place_of_work", "title", "alternate_names", "pet")),
    *(f"gpe:{name}" for name in ("residents_of_place", "visitors_of_place", "births_in_place")),
    *("org:employees_or_members", "org:students", UNANSWERABLE),
)
