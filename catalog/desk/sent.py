"""What a form of the desk sent: fields as :mod:`catalog.forms` reads them, files as bytes with their names."""

from __future__ import annotations

from dataclasses import dataclass

from datasette.utils.asgi import BadRequest, Request

from catalog.desk.files import MAX_FILES, Upload
from catalog.errors import RequestError
from catalog.forms import Form

#: Of a form with 500 subjects pasted.
MAX_FIELD_BYTES = 512 * 1024
MAX_FIELDS = 120
#: Attachments and a sheet; with the fields and what divides them.
BODY_BYTES = 24 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a form: the field that it was chosen for, its name and content."""

    field: str
    name: str
    content: bytes


class Sent(Form):
    """A form with files."""

    def __init__(self, fields: dict[str, list[str]], files: tuple[SentFile, ...]) -> None:
        super().__init__(fields)
        self.files = files

    def uploads(self, field: str = "files") -> tuple[Upload, ...]:
        """Attachments; the box that declares the secrecy review counts for all of them."""
        reviewed = bool(self.text("files_reviewed"))
        return tuple(Upload(each.name, each.content, reviewed) for each in self.files if each.field == field)

    def file(self, field: str) -> SentFile | None:
        """The file of a field, if one was chosen."""
        return next((each for each in self.files if each.field == field), None)


async def read_sent(request: Request) -> Sent:
    """The form of a POST, urlencoded or multipart.

    Raises:
        RequestError: 400, it is malformed or has too many fields or files.
    """
    fields: dict[str, list[str]] = {}
    files: list[SentFile] = []
    if not request.headers.get("content-type"):
        return Sent(fields, ())  # a button alone
    try:
        sent = await request.form(
            files=True,
            max_fields=MAX_FIELDS,
            max_files=MAX_FILES + 3,  # one more than may be, to be told of it beside the form
            max_file_size=BODY_BYTES,
            max_request_size=BODY_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            max_memory_file_size=BODY_BYTES,
            min_free_disk_bytes=0,
        )
        async with sent:
            items = list(sent.items())
            if len(items) > MAX_FIELDS:  # Datasette counts those of multipart forms only
                raise BadRequest(f"more than {MAX_FIELDS} fields")
            for name, value in items:
                if isinstance(value, str):
                    fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
                elif value.filename:  # a field of files that was left empty has no name
                    files.append(SentFile(name, value.filename, await value.read()))
    except BadRequest as error:
        raise RequestError(
            400,
            f"the form cannot be read ({error}); open the page again and send it anew",
            f"无法读取表单（{error}）；请重新打开页面后再提交",
        ) from error
    return Sent(fields, tuple(files))
