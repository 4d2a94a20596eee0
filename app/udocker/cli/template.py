"""``--format`` as docker has it: json, table and Go templates, over rows of named values.

A row is a mapping from the name of a field to its value: str, int, bool, list, dict or None; or a
function without arguments that finds the value out, called only where the format wants it. Values
come as they are: what is printed of them is escaped here, so that no name from an image reaches a
terminal.

    fields = {"ID": "IMAGE ID", "Size": "SIZE"}        # name of each field: heading of its column
    for line in render(values["format"], rows, fields, "table {{.ID}}\\t{{.Size}}"):
        context.output.result(line)
"""

from udocker.cli.gotemplate import Template, json_text, known

#: docker's columns: at least so wide, and so many blanks after the longest text.
_LEAST_WIDTH, _PADDING = 10, 3


def render(form, rows, fields, table=None):
    """Return the lines (iterator of str) that show ``rows`` (iterable of mappings) in ``form``.

    form (str): ``json`` (an object a line), ``table`` (see ``table``), ``table TEMPLATE`` (columns
    with headings, separated by ``\\t``), or a template, applied to each row.
    fields (dict): the heading of each field, in the order of columns; every row has them all.
    table (str): what the form ``table`` means; a column for each field if it is None.
    UsageError, before any line is made, if ``form`` is no template or names an unknown field.
    """
    if form == "json":
        return (json_text({name: known(row[name]) for name in fields}) for row in rows)
    if form == "table":
        form = table or "table " + r"\t".join("{{.%s}}" % name for name in fields)
    is_table = form.startswith("table ")
    template = Template(form[len("table "):].strip() if is_table else form)
    headings = template.headings(fields)
    if not is_table:
        return (template.apply(row) for row in rows)
    return iter(columns([headings] + [template.apply(row) for row in rows]))


def columns(lines):
    """Return ``lines`` (list of str with tabs between cells) with the cells below each other."""
    rows = [line.split("\t") for line in lines]
    widths = {}
    for row in rows:
        for number, cell in enumerate(row[:-1]):  # the last cell of a line ends no column
            widths[number] = max(widths.get(number, _LEAST_WIDTH), len(cell) + _PADDING)
    return ["".join(cell.ljust(widths[number]) for number, cell in enumerate(row[:-1]))
            + row[-1] for row in rows]
