"""Forms of imports: the upload, and which two dumps to compare."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.imports.origins import choices
from dashboard.layers.models import Dump
from dashboard.pageform import PageForm
from dashboard.projects.models import Project
from dashboard.registry.services import Upload


class ProjectDumpField(forms.IntegerField):
    """One of the project's dumps: the newest are offered, any other may be named by its number in the address."""

    def __init__(self, project: Project, offered: list[tuple[int, str]], **kwargs: Any) -> None:
        blank = [] if kwargs.get("required", True) else [("", "none")]
        super().__init__(min_value=1, widget=forms.Select(choices=[*blank, *offered]), **kwargs)
        self.project = project

    def clean(self, value: Any) -> Dump | None:
        number = super().clean(value)
        if number is None:
            return None
        dump: Dump | None = Dump.objects.in_project(self.project).filter(pk=number).first()
        if dump is None:
            raise ValidationError("The project has no such dump.")
        return dump


class ImportForm(PageForm):
    """An upload of vendor output."""

    file = forms.FileField(
        allow_empty_file=True,
        label="Output of the vendor's tools",
        help_text="The folder of accuracy_analysis or of NN_LAYER_DUMP as .zip or .tar.gz, or a table as text",
    )
    name = forms.CharField(max_length=120, required=False, help_text="empty: the file's name")

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reference"] = ProjectDumpField(
            project,
            choices(project),
            required=False,
            label="Compare with",
            help_text="A dump of the same network and sample; it also names the layers of NN_LAYER_DUMP files",
        )
        self.dress()

    def upload(self) -> Upload:
        file = self.cleaned_data["file"]
        return Upload(file.name, file)


class CompareForm(PageForm):
    """Any two dumps of one project."""

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = choices(project)
        for name in ("reference", "candidate"):
            self.fields[name] = ProjectDumpField(project, offered)
        self.dress()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("reference") and cleaned.get("reference") == cleaned.get("candidate"):
            raise ValidationError("Choose two different dumps.")
        return cleaned
