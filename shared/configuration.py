"""Everything that a run is told: what is trained and how it is executed; from the command line and back."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.execution import Execution
from shared.options import name_of, quoted, written
from shared.system.errors import InputError
from shared.training import Training, refuse_in_stock

FIELDS = Training.model_fields | Execution.model_fields


class Configuration(BaseModel):
    """A run is a function of this and of what its record says of the machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    training: Training = Field(default_factory=Training)
    execution: Execution = Field(default_factory=Execution)

    @model_validator(mode="after")
    def _stock_chooses_its_engine(self) -> Self:
        refuse_in_stock(self.training.mode, self.execution, {"workers": 1, "engine": "auto"})
        return self

    @classmethod
    def of(cls, **values: Any) -> Self:
        """A configuration from fields of both, by name. Raises ValidationError."""
        training = {name: value for name, value in values.items() if name not in Execution.model_fields}
        execution = {name: value for name, value in values.items() if name in Execution.model_fields}
        return cls(training=Training(**training), execution=Execution(**execution))

    def fields(self) -> dict[str, Any]:
        """All fields of both, by name."""
        return self.training.model_dump() | self.execution.model_dump()

    def but(self, **changes: Any) -> Self:
        """A copy with some fields changed, validated again. Defaults that depend on a changed field change with it."""
        given = {*self.training.model_fields_set, *self.execution.model_fields_set}
        return type(self).of(**{name: value for name, value in self.fields().items() if name in given} | changes)

    def options(self) -> list[str]:
        """The command line that makes this configuration."""
        return [word for name, value in self.fields().items() for word in (name_of(name), written(value))]


def parse(values: dict[str, Any]) -> Configuration:
    """Validate `values` (field name -> value or its text).

    Raises InputError, one line, for the first field that is wrong.
    """
    try:
        return Configuration.of(**values)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0] if first["loc"] else first["ctx"]["field"])
        default = written(Configuration().fields().get(field, ""))
        cure = f"for example {name_of(field)} {default}" if default else "see --help"
        message = first["msg"][0].lower() + first["msg"][1:]
        if first["type"] == "too_long":
            message = f"at most {first['ctx']['max_length']} are possible"
        raise InputError(f"{name_of(field)} {quoted(values.get(field))}: {message}; {cure}") from None
