"""The top of the page: title, verdict and its reasons, what matters most, what to do next."""

from tf_scl.evaluation.gate import (
    BLESSED,
    FAILED,
    NOT_SHOWN,
    PASSED,
    PIXELS,
    PRETRAINED,
    REFUSED,
    UNTRAINED,
)
from tf_scl.report import elements
from tf_scl.report.formats import escape, number, percent, percent_interval


def top(facts):
    """Title, verdict, cards."""
    about = " · ".join(
        [
            *([f"images of {facts['data']}"] if facts.get("data") else []),
            *([f"made {_time(facts['made'])}"] if facts.get("made") else []),
        ]
    )
    title = facts.get("title") or "Report of a training run"
    cards = _cards(facts)[:3]
    return "\n".join(
        [
            f"<h1>{escape(title)}</h1>",
            f'<p class="about">{escape(about)}</p>' if about else "",
            _verdict(facts.get("evaluation")),
            f'<div class="cards">{"".join(cards)}</div>' if cards else "",
        ]
    )


def _time(made):
    return made.replace("T", " ", 1).replace("+00:00", " UTC")


def _verdict(evaluation):
    if not evaluation:
        return (
            '<div class="verdict unknown"><strong>No verdict</strong> '
            "– the encoder has not been evaluated.</div>"
        )
    state, doubts = evaluation["verdict"], evaluation["doubts"]
    kind, headline = _HEADLINES.get(state, ("unknown", state))
    if state == BLESSED and doubts:
        kind, headline = "unsure", f"Blessed, without a gain over the {' and the '.join(doubts)}"
    lines = "".join(
        f"<li><span>{_MARKS.get(check['state'], '?')}</span>{escape(check['name'])}: "
        f"{escape(check['text'])}</li>"
        for check in sorted(evaluation["checks"], key=lambda check: _ORDER.get(check["state"], 0))
    )
    return (
        f'<div class="verdict {kind}"><strong>{escape(headline)}</strong> – '
        f"{escape(evaluation['reason'])}<ul>{lines}</ul></div>"
    )


_HEADLINES = {
    BLESSED: ("yes", "Blessed"),
    REFUSED: ("no", "Not blessed"),
    NOT_SHOWN: ("unsure", "Not shown to be of use, not blessed"),
}
_MARKS = {PASSED: "✓", FAILED: "✗", NOT_SHOWN: "○"}
_ORDER = {FAILED: 1, NOT_SHOWN: 2, PASSED: 3}


def next_steps(facts):
    """What to do next: advice from what was measured, and how the model is used."""
    advice = "".join(f"<li>{escape(text)}</li>" for text in facts.get("next") or [])
    parts = [f"<ul>{advice}</ul>" if advice else elements.paragraph(_NOTHING_STANDS_OUT)]
    if facts.get("model"):
        parts.append(elements.lead("To embed a collection, or to serve single images:"))
        parts.append(elements.code(_USE.format(model=facts["model"])))
    return elements.section("next", "What to do next", *parts)


_NOTHING_STANDS_OUT = "Nothing that was measured stands out. More images and longer training help."
_USE = """\
tf-scl embed path/to/images {model} --out embeddings.parquet
tensorflow_model_server --rest_api_port=8501 --model_name=encoder \\
    --model_base_path=OUT/serving    # where blessed models are; OUT is the run's folder"""


def _cards(facts):
    """Cards in falling order of importance, of those numbers that there are."""
    evaluation = facts.get("evaluation") or {}
    results = evaluation.get("representations", {})
    encoder = results.get(PRETRAINED, {})
    level = evaluation.get("level")
    cards = []
    if encoder.get("probe_few"):
        few = encoder["probe_few"]
        heading = f"Linear probe, {number(few['labels_per_class'])} labels per class"
        cards.append(_accuracy(heading, results, level, "probe_few", "mean"))
    if encoder.get("probe_all"):
        heading = f"Linear probe, all {number(encoder['probe_all']['labels'])} labels"
        cards.append(_accuracy(heading, results, level, "probe_all", "accuracy"))
    if encoder.get("effective_rank") is not None:
        cards.append(
            _card(
                "Effective rank of the features",
                number(encoder["effective_rank"], 3),
                f"of {number(encoder['dimension'])} dimensions; below about 2 an encoder "
                "tells nothing apart",
            )
        )
    return [*cards, *_other_cards(facts, encoder)]


def _other_cards(facts, encoder):
    """What is left to show of a run without labels, or without an evaluation."""
    cards = []
    if encoder and not encoder["finite"]:
        heading = "Features of the encoder"
        cards.append(_card(heading, "not finite", "NaN or infinite: nothing could be measured"))
    for kind, spectrum in (facts.get("spectrum") or {}).items():
        if spectrum.get("loss_gap") is not None:
            about = (
                f"loss {number(spectrum.get('loss'))}, optimum {number(spectrum.get('optimum'))}"
            )
            heading = f"Loss above its optimum, {kind}"
            cards.append(_card(heading, number(spectrum["loss_gap"], 3), about))
            break
    for name, values in (facts.get("history") or {}).items():
        if name == "loss" and values:
            about = f"{number(values[0])} after the first of {number(len(values))} epochs"
            cards.append(_card("Training loss at the end", number(values[-1]), about))
    if facts.get("dead_letters"):
        letters = facts["dead_letters"]
        about = f"of {number(letters['files'])} files"
        cards.append(_card("Images kept", number(sum(letters["kept"].values())), about))
    return cards


def _accuracy(heading, results, level, probe, key):
    own = results[PRETRAINED][probe]
    about = []
    if own.get("interval"):
        confidence = f"{percent(level, 0)} interval" if level is not None else "interval"
        about.append(f"{confidence} {percent_interval(own['interval'])}")
    for name in (PIXELS, UNTRAINED):
        if results.get(name, {}).get(probe):
            about.append(f"{name} {percent(results[name][probe][key])}")
    return _card(heading, percent(own[key]), "; ".join(about))


def _card(heading, value, about):
    return (
        f'<div class="card">{escape(heading)}<b>{escape(value)}</b>'
        f'<span class="of">{escape(about)}</span></div>'
    )
