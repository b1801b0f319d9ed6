"""Settings, read once from HEARTH_* environment variables."""

import os
from datetime import date
from errno import ENOTDIR
from functools import cached_property
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict
from sqlalchemy import make_url


class Settings(BaseSettings):
    """What an operator may set. Every field is the variable HEARTH_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="HEARTH_", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is the library's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - made below, once the folder is known
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read variables, and what none says from files of the same names in the folder HEARTH_SECRETS_DIR."""
        folder = os.environ.get("HEARTH_SECRETS_DIR")
        if not folder:
            return init_settings, env_settings
        if not Path(folder).is_dir():
            raise NotADirectoryError(ENOTDIR, "HEARTH_SECRETS_DIR is no folder", folder)
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=folder)

    data_dir: Path = Field(
        Path("var"), description="Folder of the SQLite file, the keyring, the documents and the demo's sign-ins."
    )
    database_url: str = Field("", description="SQLAlchemy address; empty: SQLite, hearth.db in the data folder.")
    database_password_file: str = Field("", description="File of the address's password; empty: it has none.")
    keys_file: str = Field("", description="File of the keyring; empty: keys.json in the data folder.")
    audit_signing_key_file: str = Field(
        "",
        description="File of the key that heads of the audit trail are signed with; empty: audit-signing.pem in the "
        "data folder.",
    )
    audit_head_minutes: int = Field(
        60, ge=0, le=24 * 60, description="How often a worker signs the head of the audit trail; 0: never."
    )
    host: str = Field("127.0.0.1", description="Address that the service listens on.")
    port: int = Field(8080, ge=1, le=65535, description="Port that the service listens on.")
    allowed_hosts: str = Field(
        "",
        description="Its names beside loopback and HEARTH_HOST, between commas: `homes.example`, `*.example`, `*`.",
    )
    address_requests_per_minute: int = Field(
        3000, ge=1, le=1_000_000, description="Requests a minute from one address, or one IPv6 network of 64 bits."
    )
    user_requests_per_minute: int = Field(1200, ge=1, le=1_000_000, description="Requests a minute from one user.")
    body_seconds: int = Field(60, ge=1, le=3600, description="How long a request's body may take to come.")
    pool_size: int = Field(
        8, ge=1, le=200, description="Database connections a process keeps, and requests it serves at once."
    )
    worker: Literal["in_process", "separate"] = Field(
        "in_process",
        description="Whether `hearth serve` works the queue too, or leaves it to `hearth worker`.",
    )
    solver_threads: int = Field(2, ge=1, le=64, description="Threads that one allocation may use.")
    solver_time_limit_seconds: int = Field(600, ge=1, le=86_400, description="Time limit of a run that states none.")
    what_if_seconds: int = Field(
        120, ge=1, le=86_400, description="How long answering what a run would have given otherwise may take."
    )
    hashes_at_once: int = Field(
        2, ge=2, le=64, description="Passwords a process hashes at once (46 MiB each); one is for known browsers alone."
    )
    trusted_proxies: str = Field(
        "127.0.0.1", description="Addresses of proxies whose X-Forwarded headers are believed, with commas between."
    )
    session_idle_minutes: int = Field(30, ge=1, le=24 * 60, description="Minutes unused after which a session ends.")
    session_hours: int = Field(12, ge=1, le=24 * 31, description="Hours after which a browser's session ends.")
    second_factor_roles: str = Field(
        "administrator,approver,planner",
        description="Roles, between commas, that act only for who signed in with a second factor.",
    )
    public_url: str = Field(
        "", description="Where browsers reach the service, such as `https://homes.example`; needed for OpenID Connect."
    )
    oidc_issuer: str = Field(
        "", description="Issuer of the identity provider (OpenID Connect); empty: users sign in with passwords alone."
    )
    oidc_client_id: str = Field("", description="What the identity provider calls the service.")
    oidc_client_secret_file: str = Field(
        "", description="File of the secret that the service shows the identity provider; empty: it has none."
    )
    oidc_scopes: str = Field("openid profile", description="Scopes that a sign-in asks the identity provider for.")
    oidc_roles_claim: str = Field("groups", description="Claim whose values give roles; dots lead into objects.")
    oidc_roles: str = Field(
        "",
        description='The roles that each value gives, as JSON: `{"planners": "planner", "west": '
        '["caseworker@district:West", "verifier@settlement:ST-7K3M9QTX"]}`.',
    )
    oidc_second_factor: str = Field(
        "",
        description="What says that a second factor was given at the identity provider, between commas: `amr=mfa`, "
        "`acr=…`; empty: nothing does.",
    )
    oidc_audience: str = Field(
        "", description="Audience of the provider's access tokens for this service; empty: it takes none."
    )
    oidc_services: str = Field(
        "", description="Subjects, between commas, that may act as services with access tokens of the provider."
    )
    token_hours: int = Field(12, ge=1, le=24 * 366, description="How long an API token from a sign-in lives.")
    break_glass_hours: int = Field(
        4, ge=1, le=72, description="How long a household that was opened beyond one's scope may be read."
    )
    retention_days: int = Field(
        730, ge=0, le=36_500, description="Days after a household's case has ended when its data is due to be erased."
    )
    programme_ended_on: date | Literal[""] = Field(
        "", description="Day on which the programme ended, and every case with it; empty: it goes on."
    )
    max_upload_mb: int = Field(64, ge=1, le=4096, description="Largest request body, and largest unpacked import.")
    max_document_mb: int = Field(10, ge=1, le=100, description="Largest document that an application takes.")
    max_documents: int = Field(20, ge=1, le=500, description="Documents that an application takes.")
    time_zone: str = Field("UTC", description="Time zone whose days count for families, such as `Asia/Baku`.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {name!r}; give one such as Asia/Baku") from error
        return name

    @cached_property
    def zone(self) -> ZoneInfo:
        """The programme's time zone."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def url(self) -> str:
        """The database address in force, with its password."""
        address = self.database_url or f"sqlite:///{self.data_dir / 'hearth.db'}"
        if not self.database_password_file:
            return address
        password = Path(self.database_password_file).read_text(encoding="utf-8").strip()
        return make_url(address).set(password=password).render_as_string(hide_password=False)

    @cached_property
    def keyring(self) -> Path:
        """Where the keyring in force lies."""
        return Path(self.keys_file) if self.keys_file else self.data_dir / "keys.json"

    @cached_property
    def hosts(self) -> list[str]:
        """What the Host header may name."""
        listened = f"[{self.host}]" if ":" in self.host else self.host
        given = (host.strip() for host in self.allowed_hosts.split(","))
        return ["localhost", "127.0.0.1", "[::1]", listened, *filter(None, given)]

    @cached_property
    def audit_signing_key(self) -> Path:
        """Where the key lies that heads of the audit trail are signed with."""
        return Path(self.audit_signing_key_file) if self.audit_signing_key_file else self.data_dir / "audit-signing.pem"
