"""The top of the page: title, verdict and its reasons, the three numbers that matter most."""

from tf_scl.evaluation.representation import PIXELS, PRETRAINED, UNTRAINED
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
    checks, blessed = evaluation["checks"], evaluation["blessed"]
    failed = sum(not check["holds"] for check in checks)
    if blessed:
        reason = f"{len(checks)} of {len(checks)} checks hold" if checks else "nothing was checked"
    else:
        reason = f"{failed} of {len(checks)} checks {'fails' if failed == 1 else 'fail'}"
    lines = "".join(
        f"<li><span>{'✓' if check['holds'] else '✗'}</span>{escape(check['name'])}: "
        f"{_value(check, 'value')}, needed {_value(check, 'needed')}</li>"
        for check in sorted(checks, key=lambda check: check["holds"])
    )
    return (
        f'<div class="verdict {"yes" if blessed else "no"}">'
        f"<strong>{'Blessed' if blessed else 'Not blessed'}</strong> – {reason}."
        f"<ul>{lines}</ul></div>"
    )


def _value(check, key):
    """A number of a check; those of accuracies as percent."""
    value, name = check.get(key), check["name"].lower()
    is_share = isinstance(value, float) and -1 <= value <= 1
    if is_share and any(word in name for word in ("probe", "accuracy", "knn")):
        return percent(value)
    if isinstance(value, (bool, int, float)) or value is None:
        return number(value)
    return escape(value)


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
