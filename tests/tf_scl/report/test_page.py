import dataclasses
import functools
import math
import re
import subprocess
import sys

import pytest

from tests.tf_scl.report import examples
from tests.tf_scl.report.pages import Page
from tf_scl.evaluation.results import Confusion, Difference, Leakage, Representation, Verdict
from tf_scl.ingestion.summary import RejectedImage
from tf_scl.report.facts import Neighbor, Query, Thumbnail
from tf_scl.report.formats import number, percent, points, shorten
from tf_scl.report.page import REASONS, render

replace = dataclasses.replace
_BAD = """<script>alert("x")</script>'&{{ 7 * 7 }}"""
_ODD = [_BAD, "長い" * 40, r"a'b&c$\frac{$", "x" * 300, "\x00\x1b[31m\n", "é\udcff\ufffe"]


def _odd(facts):
    """The same facts with names that a browser could take for something else."""
    names = tuple(f"{_ODD[place % 6]} {place}" for place in range(len(facts.map.classes)))
    image = Thumbnail('data:image/png;base64,x" onerror="alert(1)', _BAD, _BAD)
    near = Neighbor("https://x.org/a.png", _ODD[3], _ODD[1], math.nan)
    letters = facts.ingestion
    rejected = {**letters.summary.rejected, _BAD: 1}
    return replace(
        facts,
        **dict.fromkeys(("title", "data", "model", "made"), _BAD),
        next_steps=(_BAD,),
        history={**facts.history, _BAD: (0.5, math.nan), _ODD[2]: (math.inf,)},
        evaluation=replace(
            facts.evaluation,
            representations={
                **facts.evaluation.representations,
                _BAD: Representation(3, False),
                _ODD[2]: examples.representation(1),
            },
            verdict=Verdict("not blessed", _BAD),
            checks=(replace(facts.evaluation.checks[0], measure=_BAD),),
            confusion=replace(facts.evaluation.confusion, classes=names),
        ),
        spectrum={_BAD: replace(examples.labeled().spectrum["encoder features"], flags=(_BAD,))},
        map=replace(facts.map, classes=names, method=_BAD),
        neighbors=(Query(image, (near,)), *facts.neighbors),
        ingestion=replace(
            letters,
            summary=replace(letters.summary, rejected=rejected),
            first_rejected=(RejectedImage(_BAD, _BAD, _BAD), *letters.first_rejected),
            rejected_list=_BAD,
        ),
        settings={**facts.settings, _BAD: {_BAD: _BAD, "deep": {"a": [_BAD]}}},
        versions={**facts.versions, _BAD: _BAD},
        missing={"comparison": _BAD},
    )


_FACTS = {
    "labeled": examples.labeled(),
    "unlabeled": examples.unlabeled(),
    "odd names": _odd(examples.labeled()),
    "a hundred classes": _odd(examples.labeled(100)),
    "one epoch, two classes": examples.labeled(2, 1),
    "nothing": examples.empty(),
}


@functools.cache
def _whole(name):
    return render(_FACTS[name])


@pytest.fixture(params=_FACTS)
def case(request):
    return _FACTS[request.param], _whole(request.param)


def _section(text, name):
    return Page(re.search(rf'<section id="{name}">.*?</section>', text, re.DOTALL)[0])


def _rendered(name, **known):
    """A section of a page of which nothing else is known."""
    return _section(render(examples.empty(**known)), name)


def test_a_page_is_well_formed(case):
    page = Page(case[1])
    assert len(page.ids) == len(set(page.ids))
    targets = [one["href"][1:] for tag, one in page.tags if tag == "a"]
    assert len(targets) == 11 and set(targets) <= set(page.ids)
    case[1].encode()


def test_a_page_loads_and_runs_nothing(case):
    page = Page(case[1])
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "base", "form", "image", "metadata"}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), f"<{tag} {name}={value}>"
            if name in ("src", "href", "data"):
                own = f"#{value[1:]}" if value[1:] in page.ids else ""
                assert value == own or re.fullmatch(r"data:image/png;base64,.*", value), value
            for address in re.findall(r"url\((.*?)\)", value):
                assert address[1:] in page.ids
    style = case[1][case[1].index("<style>") : case[1].index("</style>")]
    assert not re.search(r"@import|url\(|http|<!--", style) and "@media print" in style


def test_no_name_becomes_a_tag_or_is_computed(case):
    assert "'&49" not in Page(case[1]).text
    assert "<script" not in case[1] and "\x1b" not in case[1]


def test_every_chart_has_a_title_and_named_and_ticked_axes(case):
    charts = re.findall(r"<svg.*?</svg>", case[1], re.DOTALL)
    assert bool(charts) == (case[0].history is not None)
    for chart in charts:
        head = Page(chart).tags
        assert head[0][1]["role"] == "img" and head[0][1]["aria-label"] and head[1][0] == "title"
        names = re.findall(r"<text[^>]*font-weight: 700[^>]*>", chart)  # of axes and groups
        assert len(names) >= (2 if 'aria-label="accuracy' not in chart else 1)
        assert chart.count("<text") >= 4
        assert not re.search(r"\b(nan|inf)\b", re.sub(r">[^<]*<", "><", chart))


def test_odd_names_are_shown_as_they_are():
    text = Page(_whole("odd names")).text
    assert text.count(_BAD) > 20
    assert shorten(_ODD[1], 34) in text and _ODD[2] in text  # long names are cut
    assert "é?" in text  # of a name that is not valid Unicode
    assert "cos –" in text and not re.search(r"\bnan\b", text)


def test_a_page_is_the_same_each_time():
    assert render(_FACTS["odd names"]) == _whole("odd names")


def _leaves(value):
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def _is_shown(value, text):
    shown = {number(value), percent(value), percent(value, 0), percent(value)[:-2]}
    shown |= {points(value), f"{100 * value:.6g} %", f"{100 * value:+.1f}", f"{value:.1f}"}
    return any(re.search(rf"(?<![\d.,]){re.escape(form)}(?!\d)", text) for form in shown)


def test_every_number_of_evaluation_spectrum_and_history_is_on_the_page():
    facts, text = _FACTS["labeled"], Page(_whole("labeled")).text
    for section in (facts.evaluation, facts.spectrum, facts.history):
        for value in _leaves(section):
            assert _is_shown(value, text), value


def test_a_number_that_changes_changes_the_page():
    facts, before = _FACTS["labeled"], Page(_whole("labeled")).text
    results = facts.evaluation.representations
    encoder = results["pretrained encoder"]
    encoder = replace(encoder, few_shot_probe=replace(encoder.few_shot_probe, accuracy=0.1234))
    results = {**results, "pretrained encoder": encoder}
    after = replace(facts, evaluation=replace(facts.evaluation, representations=results))
    after = Page(render(after)).text
    assert "12.3" not in before
    assert after.count("12.3") == 3  # card, chart and table


def test_a_page_is_not_too_large():
    assert len(_whole("a hundred classes")) < 2**20


@pytest.mark.parametrize("name", REASONS)
def test_every_missing_section_says_why(name):
    facts = examples.empty()
    if name != "evaluation":
        assert f"Not here: {REASONS[name]}." in Page(render(facts)).texts
    given = render(replace(facts, missing={name: "the disk was full."}))
    assert "Not here: the disk was full.</p>" in given


@pytest.mark.slow
def test_packages_of_the_report_are_imported_when_it_is_drawn_and_named_if_missing():
    program = """
import sys
sys.modules["jinja2"] = sys.modules["matplotlib"] = None  # cannot be imported
import tf_scl, tf_scl.cli, tf_scl.report.files, tf_scl.report.run_facts
from tests.tf_scl.report import examples
assert not {"apache_beam", "tfx"} & set(sys.modules)
for package in ("jinja2", "matplotlib"):
    try:
        tf_scl.report.page.render(examples.empty())
    except tf_scl.InputError as error:
        print(error)
    del sys.modules[package]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    first, second = done.stdout.splitlines()
    assert "import of jinja2" in first and "import of matplotlib" in second, done.stderr
    assert first.endswith(second[-31:]) and second.endswith(": pip install 'tf_scl[report]'")


# The top of the page.


def _kinds(text):
    return [one.get("class", "") for _, one in Page(text).tags]


def test_the_verdict_its_reasons_and_three_numbers():
    text = _whole("labeled")
    texts = Page(text).texts
    reason = "The few-label probe is 4.4 points better than that of the raw pixels."
    assert "Blessed" in texts and any(reason in one for one in texts)
    assert "effective rank: 83.0 dimensions; refused below 2" in texts
    assert all(big in texts for big in ("95.8\u00a0%", "99.4\u00a0%", "83"))
    assert _kinds(text).count("card") == 3 and "verdict yes" in _kinds(text)
    about = (
        "95\u00a0% interval 93.8–97.4\u00a0%; raw pixels 91.4\u00a0%; untrained encoder 86.7\u00a0%"
    )
    assert about in texts


def test_what_failed_comes_first():
    facts = examples.labeled()
    finite, rank, few = facts.evaluation.checks
    checks = (finite, replace(rank, state="not shown"), replace(few, state="failed"))
    verdict = Verdict("not blessed", "It is worse.")
    evaluation = replace(facts.evaluation, checks=checks, verdict=verdict)
    text = render(examples.empty(evaluation=evaluation))
    marks = re.findall(r"<li><span>(.)</span>([^:]*):", text)
    assert marks == [
        ("✗", "few-label probe against the raw pixels"),
        ("○", "effective rank"),
        ("✓", "features are finite"),
    ]
    assert "verdict no" in _kinds(text) and "Not blessed" in Page(text).texts


def test_what_is_not_shown_is_neither_green_nor_red():
    text = _whole("unlabeled")
    assert "Not shown to be of use, not blessed" in Page(text).texts
    assert "verdict unsure" in _kinds(text)


def test_blessed_without_a_gain_over_the_pixels_is_not_green():
    facts = examples.labeled()
    verdict = Verdict("blessed", "", ("raw pixels",))
    text = render(examples.empty(evaluation=replace(facts.evaluation, verdict=verdict)))
    assert "Blessed, without a gain over the raw pixels" in Page(text).texts
    assert "verdict unsure" in _kinds(text)


def test_without_labels_other_numbers_take_their_place():
    text = _whole("unlabeled")
    texts = Page(text).texts
    assert "Loss above its optimum, projected embeddings" in texts and "0.691" in texts
    assert "Training loss at the end" in texts
    assert _kinds(text).count("card") == 3


def test_an_encoder_that_diverged_and_none():
    broken = {"pretrained encoder": Representation(256, False)}
    evaluation = examples.unlabeled_evaluation(representations=broken)
    text = Page(render(examples.empty(evaluation=evaluation))).text
    assert "not finite" in text and "NaN or infinite: nothing could be measured" in text
    assert "No verdict" in Page(render(examples.empty())).texts


def test_what_to_do_next_and_how_to_use_the_model():
    page = _section(_whole("labeled"), "next")
    assert {"Train longer.", "Label more images."} <= set(page.texts)
    assert f"tf-scl embed path/to/images {examples.labeled().model} --out" in page.text
    assert "tensorflow_model_server" in page.text
    assert "Nothing that was measured stands out" in _rendered("next").text


# The sections.


def test_every_measure_of_every_representation_is_in_the_accuracy_chart():
    text = _whole("labeled")
    text = text[text.index('<section id="accuracy">') :]
    texts = Page(text[text.index("<svg") : text.index("</svg>")] + "</svg>").texts
    texts = [one.strip() for one in texts]
    assert texts.count("pretrained encoder") == 7
    assert texts.count("last blessed encoder") == 6
    assert "Linear probe, 50 % of the labels" in texts
    assert "Linear probe, 10 labels per class" in texts
    assert "95.8\u00a0%  [93.8, 97.4]" in texts
    assert "accuracy on 353 labeled evaluation images (%)" in texts


def test_without_labels_it_says_so():
    page = _section(_whole("unlabeled"), "accuracy")
    assert "No labels: no linear probe, no kNN." in page.texts
    assert "svg" not in {tag for tag, _ in page.tags}
    assert "130.6" in page.texts


def test_every_accuracy_says_on_how_many_labeled_images():
    counts = {"labeled_train_images": 34, "train_images": 192}
    counts |= {"labeled_test_images": 6, "test_images": 48}
    text = " ".join(
        _rendered(
            "accuracy", evaluation=replace(examples.labeled().evaluation, **counts)
        ).text.split()
    )
    assert "34 labeled of 192 training images" in text
    assert "6 labeled of 48 evaluation images" in text
    assert "accuracy on 6 labeled evaluation images (%)" in text


@pytest.mark.parametrize(
    "interval,result",
    [
        ((0.001, 0.02), "better, by more than chance"),
        ((-0.02, -0.001), "worse, by more than chance"),
        ((-0.01, 0.02), "the difference may be chance"),
        ((0.0, 0.02), "the difference may be chance"),
    ],
)
def test_the_comparison_is_judged_by_its_interval(interval, result):
    evaluation = examples.labeled().evaluation
    compared = replace(evaluation.comparison, linear_probe=Difference(0.0142, interval))
    page = _rendered("comparison", evaluation=replace(evaluation, comparison=compared))
    assert result in page.text and "+1.42" in page.text and "few labels" in page.text


def test_few_classes_have_a_matrix_and_many_have_lists():
    def confusion(counts):
        names = tuple(f"c{number}" for number in range(len(counts)))
        evaluation = examples.labeled().evaluation
        known = Confusion(names, tuple(map(tuple, counts)))
        return _rendered("confusion", evaluation=replace(evaluation, confusion=known))

    few = confusion([[8, 1, 0], [4, 5, 1], [0, 2, 8]])
    assert "svg" in {tag for tag, _ in few.tags}
    assert "21 of\n29 images right (72.4\u00a0%)" in few.text
    assert "Most confused pairs, 4 of 4" in few.texts
    many = [[0] * 100 for _ in range(100)]
    many[7][3] = 50
    many = confusion(many)
    assert "svg" not in {tag for tag, _ in many.tags}
    assert "100 classes, too many for a matrix" in many.text and "c7" in many.texts
    assert "Classes that are recognized worst, 1 of 1" in many.texts
    assert "No image was taken for one of another class." in confusion([[3, 0], [0, 4]]).texts
    assert "0 of\n0 images right." in confusion([[0, 0], [0, 0]]).text


def test_a_chart_for_each_metric_and_every_epoch():
    page = _section(_whole("labeled"), "curves")
    assert [tag for tag, _ in page.tags].count("svg") == 5
    assert [tag for tag, _ in page.tags].count("tr") == 2 + 5 + 40
    lost = _rendered("curves", history={"loss": (0.5, math.nan, -1.5, 0.25)})
    assert "In 1 epochs a metric was NaN or infinite; its curve has a gap there." in lost.texts
    short = {"loss": (1.0, 2.0), "late": (3.0,), "none": ()}
    assert [tag for tag, _ in _rendered("curves", history=short).tags].count("svg") == 2
    assert "points, not curves" in _rendered("curves", history={"loss": (1.0,)}).text
    assert "left no metrics" in _rendered("curves", history={"loss": ()}).text


def test_a_mu_that_was_found_is_said():
    history = {"loss": (-0.5, -0.6), "mu": (2.5, 31.04), "scaled_loss": (-1.2, -18.6)}
    page = _rendered("curves", history=history)
    assert "mu was found: 31 at the end." in page.text
    assert page.texts.index("loss times mu") < page.texts.index("loss")
    assert "mu was found" not in _section(_whole("labeled"), "curves").text


def test_a_spectrum_has_its_numbers_flags_and_assumptions():
    page = _section(_whole("labeled"), "spectrum")
    assert [tag for tag, _ in page.tags].count("svg") == 2
    assert "Projected embeddings, 95\u00a0% intervals" in page.texts
    assert "no gap is clear: all intervals meet" in page.texts
    assert page.text.count("Assumed: ") == 1
    assert "0.6913" in page.texts and "0.1678" in page.texts


def test_few_classes_of_a_map_have_a_legend_many_a_list():
    few = _section(_whole("labeled"), "map")
    assert "digit 9" in few.texts and "li" not in {tag for tag, _ in few.tags}
    drawn = examples.labeled(100).map
    drawn = replace(drawn, labels=(*range(100), *drawn.labels[100:]))
    many = _rendered("map", map=drawn)
    items = [text.strip() for text in many.texts]
    assert all(items.count(f"digit {number}") == 2 for number in range(100))  # and a <title>


def _query(label, *near):
    return (Query(Thumbnail("data:image/png;base64,Q", "a/q.png", label), near),)


def test_neighbors_of_another_class_are_marked_without_color_too():
    near = (
        Neighbor("data:image/png;base64,A", "a/1.png", "cat", 0.98765),
        Neighbor("data:image/png;base64,B", "a/2.png", "dog", 0.5),
    )
    page = _rendered("neighbors", neighbors=_query("cat", *near))
    assert [one["src"][-1] for tag, one in page.tags if tag == "img"] == ["Q", "A", "B"]
    assert [one["alt"] for tag, one in page.tags if tag == "img"] == [
        "a/q.png",
        "a/1.png",
        "a/2.png",
    ]
    assert [one.get("class") for _, one in page.tags].count("image other") == 1
    assert "≠ dog" in page.texts and "cos 0.988" in page.texts
    assert "1 of 2 neighbors are of the query's class" in page.text


def test_near_copies_across_the_split_are_shown():
    pair = _query("cat", Neighbor("data:image/png;base64,A", "a/1.png", "dog", 0.9987))
    measured = examples.unlabeled_evaluation(leakage=Leakage(3, 0.98, 1.26))
    shown = {"neighbors": pair, "near_copies": pair, "evaluation": measured}
    page = _rendered("neighbors", **shown)
    text = " ".join(page.text.split())
    assert "3 of 353 evaluation images are as near" in text
    assert "(cosine 0.9800 and above); up to 1.3 may be without any copy" in text
    assert page.texts.count("cos 0.999") == 2
    none = examples.unlabeled_evaluation(leakage=Leakage(0, 0.98, 1.26))
    text = " ".join(_rendered("neighbors", neighbors=pair, evaluation=none).text.split())
    assert "None of 353 evaluation images is as near" in text and "nearest pairs" not in text
    page = _rendered("neighbors", neighbors=pair, evaluation=examples.unlabeled_evaluation())
    assert "Near copies" not in page.text


def test_images_from_elsewhere_are_not_loaded():
    near = (Neighbor("https://x.org/a.png", "", None, 0.5), Neighbor("javascript:x", "", None, 0.5))
    page = _rendered("neighbors", neighbors=_query(None, *near))
    assert [one["src"] for tag, one in page.tags if tag == "img"][1:] == ["", ""]
    assert "of the query" not in page.text


def test_none_some_and_thousands_of_dead_letters():
    none = _rendered("ingestion", ingestion=examples.ingestion(0))
    text = " ".join(none.text.split())
    assert "1,797 files: 1,797 kept (1,444 train, 353 eval), 0 set aside." in text
    assert "table" not in {tag for tag, _ in none.tags}
    some = _section(_whole("labeled"), "ingestion").text
    assert "7 set aside (0.4\u00a0%)" in some and "The first 7 of 7" in some
    many = _rendered("ingestion", ingestion=examples.ingestion(4321)).text
    assert "The first 20 of 4,321" in many and "rejected.jsonl" in many
    long = replace(examples.ingestion(1), first_rejected=(RejectedImage("a/" * 500, "", ""),))
    assert "a/" * 80 not in _rendered("ingestion", ingestion=long).text


def test_settings_of_every_kind_and_versions_on_one_line():
    config = {"train": {"xla": False, "rate": 0.03, "hidden": [64, 64], "name": "sgd", "no": None}}
    texts = _rendered("settings", settings=config).texts
    for shown in ("train", "false", "0.03", "[64, 64]", "sgd", "null"):
        assert shown in texts
    text = _section(_whole("labeled"), "versions").text
    assert "python\u00a03.11.7, tf_scl\u00a00.1.0, tensorflow\u00a02.16.2." in text


def test_advice_names_the_flags_to_set():
    labeled = examples.labeled()
    verdict = Verdict("not shown", "Keep more (ingest.eval_fraction).")
    evaluation = replace(labeled.evaluation, verdict=verdict)
    facts = replace(labeled, next_steps=("Try model.mu auto.",), evaluation=evaluation)
    page = render(facts)
    assert "<li>Try --model.mu auto.</li>" in page
    assert "Keep more (--ingest.eval_fraction)." in page
