"""Importing files and exporting the register."""

from functools import partial
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, File, Query, Request, Response, UploadFile
from pydantic import Field

from app.access.dependencies import DbSession, SignedInFirst, Store, requires
from app.access.permissions import Permission, Principal
from app.errors import Conflict, Forbidden, Invalid, Malformed, TooLarge, Unauthorised, UnsupportedMediaType
from app.exchange import exports, imports
from app.exchange.tables import FILES
from app.fields import Wire
from app.problems import responses

MOST_FILES = 20
ENDINGS = (".csv", ".geojson", ".zip", ".xlsx")
EXAMPLE = "origin,name,latitude,longitude\nO-1,Upper Valley,0.5,0.3\n"
ZIP = "application/zip"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


router = APIRouter(
    tags=["exchange"], route_class=SignedInFirst, form_limits={"max_files": 2 * MOST_FILES, "max_fields": MOST_FILES}
)
MayImport = Annotated[Principal, requires(Permission.EXCHANGE_IMPORT)]
MayExport = Annotated[Principal, requires(Permission.EXCHANGE_EXPORT, before=True)]


class TableCounts(Wire):
    """What became of the rows of one table."""

    created: int = Field(description="Rows that are new.", examples=[352])
    changed: int = Field(description="Rows whose thing was there and changes.", examples=[0])
    unchanged: int = Field(description="Rows whose thing is there as it is.", examples=[0])


class ImportResult(Wire):
    """What an import did, or would do."""

    dry_run: bool = Field(description="Whether nothing was written, as you asked.")
    sentence: str = Field(
        description="All of it in one sentence.", examples=["352 rows added, 0 changed, 0 unchanged."]
    )
    tables: dict[str, TableCounts] = Field(
        description="Counts by table.", examples=[{"households": {"created": 352, "changed": 0, "unchanged": 0}}]
    )
    possible_duplicates: int = Field(
        description="Pairs of households that may be one, newly found; `GET /duplicates` has them.", examples=[3]
    )


def _multipart(request: Request) -> None:
    if not request.headers.get("Content-Type", "").startswith("multipart/form-data"):
        raise UnsupportedMediaType("Send the files as multipart/form-data, each in a field named files.")


@router.post(
    "/imports",
    operation_id="import_files",
    summary="Import files",
    dependencies=[Depends(_multipart)],
    openapi_extra={"requestBody": {"content": {"multipart/form-data": {"example": {"files": [EXAMPLE]}}}}},
    responses=responses(Malformed, Unauthorised, Forbidden, Conflict, TooLarge, UnsupportedMediaType, Invalid),
)
def import_files(
    request: Request,
    session: DbSession,
    principal: MayImport,
    files: Annotated[
        list[UploadFile],
        File(description=f"{', '.join(FILES)}; or one zip or XLSX of them.", min_length=1, max_length=MOST_FILES),
    ],
    dry_run: Annotated[bool, Query(description="Check everything and write nothing.")] = False,
) -> ImportResult:
    """The files are checked whole: one wrong row and nothing is written.

    A refusal (422) has, beside `errors`, up to 1,000 `rows` of file, row, column, value and message, and `more`, the
    count of the others. Rows are recognised by their keys; what is missing from the files stays as it is.
    """
    limit_mb: int = request.app.state.settings.max_upload_mb
    if sum(file.size or 0 for file in files) > limit_mb * 2**20:
        raise TooLarge(f"These files hold more than {limit_mb} MB. Send the tables in several imports.")
    sent: dict[str, bytes] = {}
    for file in files:
        name = file.filename or ""
        if not name.endswith(ENDINGS):
            raise UnsupportedMediaType(f"A file's name must end in {', '.join(ENDINGS)}; {name[:80]!a} does not.")
        if name in sent:
            raise Invalid(f"Two files are named {name[:80]!a}. Leave one of them out.")
        sent[name] = file.file.read()
    return ImportResult.model_validate(imports.run(session, sent, actor=principal, dry_run=dry_run, limit_mb=limit_mb))


@router.get(
    "/exports",
    operation_id="export_files",
    summary="Export the register",
    response_class=Response,
    responses={
        200: {
            "description": "Every table, as the files that an import takes.",
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in (ZIP, XLSX)},
        },
        **responses(Unauthorised, Forbidden, Invalid),
    },
)
async def export_files(
    database: Store,
    principal: MayExport,
    format: Annotated[Literal["zip", "xlsx"], Query(description="A zip of CSV and GeoJSON, or one XLSX.")] = "zip",  # noqa: A002 - the parameter's name on the wire
) -> Response:
    """Importing the answer again changes nothing. README.txt, or the first sheet, says who exported it and when."""
    found = await database.transact(partial(exports.write, actor=principal), writes=False, one_moment=True)
    files = await database.transact(partial(exports.issue, files=found, actor=principal), writes=True)
    pack, kind = (exports.as_zip, ZIP) if format == "zip" else (exports.as_xlsx, XLSX)
    content = await run_sync(pack, files)
    return Response(
        content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="hearth.{format}"'}
    )
