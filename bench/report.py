"""What came out: a table for people, JSON for machines, a plot."""
import html
import json
import os

COLUMNS = (("workload", 30, "<"), ("peer", 14, "<"), ("ratio", 7, ">"), ("bar", 8, ">"), ("verdict", 10, "<"),
           ("floor", 7, ">"), ("spread", 7, ">"), ("us", 9, ">"), ("peer us", 9, ">"), ("gen us", 8, ">"),
           ("bound by", 9, "<"))


def heading():
    line = " ".join(f"{name:{align}{width}}" for name, width, align in COLUMNS)
    return line + "\n" + "-" * len(line)


def number(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def micro(value):
    return "-" if value is None else f"{value:.1f}" if value >= 100 else f"{value:.3f}"


def line(row):
    bar = row["bar"]
    sign = "<=" if row["most"] else ">="
    cells = (row["workload"], row["peer"] or "-", number(row["ratio"]), f"{sign}{bar:g}" if bar else "-", row["verdict"],
             number(row["floor_ratio"]), number(row["spread"]), micro(row["subject_value"]), micro(row["peer_value"]),
             micro(row["generator_us"]), "generator" if row["generator_bound"] else "server")
    return " ".join(f"{cell:{align}{width}}" for cell, (_, width, align) in zip(cells, COLUMNS))


def write_json(path, rows, about):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"about": about, "rows": rows}, file, indent=1)
        file.write("\n")


COLOURS = {"met": "#2a7f4f", "missed": "#b3372f", "undecided": "#b58a1b"}


def write_svg(path, rows):
    """A bar for each row: the ratio, its spread as a whisker, the wanted ratio as a tick."""
    rows = [row for row in rows if row["ratio"] is not None]
    left, unit, step = 290, 150, 22
    most = min(4.0, max([2.0] + [row["ratio"] for row in rows]))
    width, height = left + int(unit * most) + 80, 40 + step * len(rows)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
           f'font-size="12"><rect width="100%" height="100%" fill="white"/>',
           f'<text x="{left}" y="16" fill="#444">ratio to the peer; the black tick is the bar, the line its equal</text>']
    for i, row in enumerate(rows):
        y, ratio = 28 + i * step, min(row["ratio"], most)
        label = html.escape(f'{row["workload"]} : {row["peer"]}')
        out.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{label}</text>'
                   f'<rect x="{left}" y="{y}" width="{ratio * unit:.1f}" height="15" '
                   f'fill="{COLOURS.get(row["verdict"], "#7a8ca3")}"/>')
        around = row["spread"] * ratio * unit
        out.append(f'<line x1="{left + ratio * unit - around:.1f}" x2="{left + ratio * unit + around:.1f}" '
                   f'y1="{y + 7.5}" y2="{y + 7.5}" stroke="#222"/>')
        if row["bar"]:
            x = left + min(row["bar"], most) * unit
            out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 3}" y2="{y + 18}" stroke="black" stroke-width="3"/>')
        out.append(f'<text x="{left + ratio * unit + around + 6:.1f}" y="{y + 12}">{row["ratio"]:.2f}</text>')
    out.append(f'<line x1="{left + unit}" x2="{left + unit}" y1="22" y2="{height}" stroke="#888" '
               'stroke-dasharray="3 3"/></svg>')
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
