"""Medians, ratios and verdicts, and the table of them."""

import statistics

HEADER = "| | figure | Rookery | ZooKeeper | ratio | target |"
SHOWN = [
    ("rate", "operations/s", 1, "{:,.0f}"),
    ("p50_us", "p50, ms", 1000, "{:.3f}"),
    ("p99_us", "p99, ms", 1000, "{:.3f}"),
    ("p99.9_us", "p99.9, ms", 1000, "{:.2f}"),
    ("cpu_us", "server CPU, µs/op", 1, "{:.2f}"),
    ("client_cpu_us", "generator CPU, µs/op", 1, "{:.2f}"),
    ("fill_rate", "creates/s while filling", 1, "{:,.0f}"),
    ("rss", "memory, MiB", 1 << 20, "{:,.0f}"),
    ("rss_peak", "peak memory, MiB", 1 << 20, "{:,.0f}"),
    ("restart_s", "start to first answer, s", 1, "{:.2f}"),
    ("rss_restarted", "memory after a restart, MiB", 1 << 20, "{:,.0f}"),
    ("outage_s", "until anybody's next acknowledged write, s", 1, "{:.3f}"),
    ("slowest_writer_s", "until the last writer's, s", 1, "{:.3f}"),
    ("reconnects", "connections lost on the other servers", 1, "{:.0f}"),
    ("rejoin_s", "start to first answer, s", 1, "{:.2f}"),
    ("rss_steady", "memory before, MiB", 1 << 20, "{:,.0f}"),
    ("quiet_p99_us", "clients' p99 before, ms", 1000, "{:.3f}"),
]


def rows(name, result):
    medians = [result["medians"].get(who) for who in result["pair"]]
    shown = next(one for one in medians if one)
    lines = []
    for figure, label, unit, shape in SHOWN:
        if figure not in shown:
            continue
        cells = [shape.format(one[figure] / unit) if one else "–" for one in medians]
        ratio = result["ratios"].get(figure)
        cells.append(f"{ratio:.2f}" if ratio is not None else "–")
        verdict = ", ".join(verdict_on(target) for target in result["targets"]
                            if target["figure"] == figure)
        lines.append(f"| {name} | {label} | {' | '.join(cells)} | {verdict} |")
        name = ""
    return lines


def verdict_on(target):
    word = {"at least": "≥", "at most": "≤", "below": "itself <"}[target["bound"]]
    return f"{word} {target['limit']:.2f}: {'met' if target['met'] else '**missed**'}"


def markdown(runs):
    """The whole of RESULTS.md, of several runs."""
    text = [
        "# Results",
        "",
        "Written by `benches/compare`; do not edit.",
        "Names: operation, connections × requests in flight on each.",
        "`ensemble-*`: three servers against three on this one machine, CPU and memory of all "
        "three together.",
        "`checkpoint-*` compares a server that crosses checkpoints with its quiet twin; "
        "the two columns are these.",
    ]
    for saved in runs:
        machine = saved["machine"]
        text += [
            "",
            f"Medians of {saved['rounds']} rounds in turn, {saved['seconds']} s each, "
            f"{saved['when']}, commit {saved['commit']}.",
            f"{machine['cpus']} × {machine['cpu']}, Linux {machine['kernel']}, "
            f"load at the start {machine['load']:.1f}.",
            "",
            HEADER,
            "|---|---|--:|--:|--:|---|",
        ]
        for name, result in saved["results"].items():
            text += rows(name, result)
    return "\n".join(text) + "\n"


def finish(name, rounds, targets, pair=("rookery", "zookeeper")):
    """Medians, ratios and verdicts of one measurement, printed as they are found."""
    medians = {who: {figure: statistics.median(one[figure] for one in all_rounds)
                     for figure in all_rounds[0]}
               for who, all_rounds in rounds.items()}
    result = {"pair": pair, "rounds": rounds, "medians": medians, "ratios": {}, "targets": []}
    if all(who in medians for who in pair):
        left, right = (medians[who] for who in pair)
        result["ratios"] = {figure: left[figure] / right[figure]
                            for figure in left if right[figure]}
        for figure, bound, limit in targets:
            ratio = result["ratios"].get(figure)
            met = is_met(bound, limit, ratio, left[figure])
            result["targets"].append({"figure": figure, "bound": bound, "limit": limit,
                                      "ratio": ratio, "met": met})
    print("\n".join(rows(name, result)), flush=True)
    return result


def is_met(bound, limit, ratio, figure):
    """Whether a ratio, or the figure itself, keeps to its bound."""
    if bound == "below":
        return figure < limit
    if ratio is None:
        return False
    return ratio >= limit if bound == "at least" else ratio <= limit
