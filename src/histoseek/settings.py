"""All settings that come from the environment, typed and read in one place."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _get_default_cache() -> Path:
    return Path.home() / ".cache" / "histoseek"


def _get_default_weights() -> Path:
    return Path.home() / ".local" / "share" / "histoseek" / "weights"


def _get_default_encoders() -> Path:
    return Path.home() / ".local" / "share" / "histoseek" / "encoders"


class Settings(BaseSettings):
    """Settings of one process, each overridable as HISTOSEEK_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="HISTOSEEK_", frozen=True)

    cache_dir: Path = Field(default_factory=_get_default_cache, description="Folder for models prepared once.")
    weights_dir: Path = Field(
        default_factory=_get_default_weights, description="Folder of imported and trained weights."
    )
    encoders_dir: Path = Field(
        default_factory=_get_default_encoders, description="Folder of cards of your own (`histoseek encoders add`)."
    )
    weights: Path | None = Field(
        default=None, description="Folder of published encoders' files, looked into before the Hugging Face cache."
    )
    download: bool = Field(default=False, description="Download encoders that are not on this machine.")
    accept_unknown_weights: bool = Field(
        default=False, description="Take weights of a published encoder whose SHA-256 nobody knows: fine-tuned ones."
    )
    own_code: str = Field(
        default="",
        description="Own encoders and distances, `module:attribute` with commas between, that archives may name.",
    )
    runtime: Literal["auto", "onnx", "openvino", "torch"] = Field(
        default="auto", description="Runtime of encoders on a CPU; auto takes the quickest for tiles, by a short trial."
    )
    precision: Literal["auto", "float32", "bf16", "int8"] = Field(
        default="auto", description="Precision of tile encoders; auto is float32 on a CPU, the card's on a GPU."
    )
    device: str = Field(
        default="cpu",
        pattern=r"^(cpu|cuda(:\d+)?(,cuda:\d+)*)$",
        description="Device of the torch runtime: cpu, cuda, or several GPUs as cuda:0,cuda:1.",
    )
    compile: bool = Field(
        default=False, description="Have torch compile tile encoders: minutes at the start, quicker later."
    )
    threads: int = Field(default=0, ge=0, description="Threads for models and kernels; 0 means all cores.")
    batch_memory_mb: int = Field(
        default=512, ge=16, description="Memory that one batch of tiles may take in the encoder."
    )
    cache_mb: int = Field(
        default=2048, ge=0, description="Memory for the arrays that ranking needs; larger ones are memory-mapped."
    )
    ranking_mb: int = Field(
        default=8192,
        ge=0,
        description="What ranking may keep here of an archive on a server; of larger ones the server finds candidates.",
    )
    bag_cache_mb: int = Field(
        default=4096, ge=0, description="Disk space for tile features of archives on servers that are kept here."
    )
    read_memory_mb: int = Field(
        default=4096, ge=16, description="Memory that one file may take when it is read; what declares more is refused."
    )
    history_minutes: int = Field(
        default=10, ge=0, description="How long readers may hold on to an older archive version."
    )
    cluster_minutes: float = Field(
        default=10.0, gt=0, description="How long to wait for workers of a cluster, and for a scheduler that went away."
    )
    trust: bool = Field(default=False, description="Read files of others in this very process, not in a confined one.")
    read_seconds: float = Field(default=300.0, gt=0, description="Time that a confined process may take for one read.")
    server_seconds: float = Field(
        default=60.0, gt=0, description="How long an archive's server may be away before a command gives up."
    )
    language_model_url: str = Field(
        default="", description="OpenAI-compatible address that judges sentences for training; none by default."
    )
    language_model_name: str = Field(default="", description="Model to use at that address.")

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices of the torch runtime, each by name."""
        return tuple(self.device.split(","))

    @property
    def has_gpu(self) -> bool:
        """Whether a GPU is to compute."""
        return self.devices[0] != "cpu"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read from the environment once."""
    return Settings()


def change_settings(**changes: str) -> None:
    """Change settings, by the names of their fields, for the rest of this process and for those that it starts."""
    for name, value in changes.items():
        os.environ[f"HISTOSEEK_{name.upper()}"] = value
    get_settings.cache_clear()


def choose_trust(trust: bool | None) -> bool:
    """Whether files are read in this very process: as given, else as the settings say."""
    return get_settings().trust if trust is None else trust
