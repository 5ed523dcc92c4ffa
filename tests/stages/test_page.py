"""The page that a study leaves."""

import json

from dfwe.report.names import name_of


def test_a_study_leaves_its_page_and_pictures(ran):
    folder, _, _ = ran
    html = (folder / "report.html").read_text(encoding="utf8")
    results = json.loads((folder / "results.json").read_text())
    assert f"{100 * results['headline']['test']:.1f}" in html
    assert all(name_of(row) in html for row in results["models"] if row["kind"] == "expert")
    names = {path.stem for path in (folder / "pictures").glob("*.svg")}
    assert {"trace_nelder_mead", "coefficients", "confusion_baseline", "confusion_nelder_mead"} <= names
