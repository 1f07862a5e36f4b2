"""Handlers of the file commands: open a sound file, presets, export."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QInputDialog, QWidget

from gui.actions import SessionActions
from gui.background.exporter import Exporter
from gui.control.feedback_guard import FeedbackGuard
from gui.control.session_controller import SessionController
from gui.dialogs.single_dialog import show_single
from gui.panels.notices import NoticeStack
from gui.panels.recording_slots import ADDED, PLAYED, TARGET_SLOTS
from gui.settings import save_preset
from rtgain.config.names import MAX_TARGETS
from rtgain.config.presets import load_preset
from rtgain.config.session_config import SessionConfig, make_session_config, with_changes
from rtgain.errors import InputError
from rtgain.records.equalizer_text import format_equalizer, read_equalizer
from rtgain.records.reference_equalizer import to_option
from rtgain.system.atomic_write import write_atomic

if TYPE_CHECKING:
    from rtgain.match.comparison_export import Comparison
    from rtgain.records.learned_equalizer import LearnedEqualizer

SOUND_FILES = (
    "Sound files (*.wav *.w64 *.flac *.mp3 *.ogg *.oga *.opus *.m4a *.aac *.aiff *.aif *.caf *.wma "
    "*.mp4 *.mov *.mkv *.mka *.webm);;All files (*)"
)
EQUALIZERS = "Equalizers (*.txt);;All files (*)"
PRESETS = "Presets (*.json);;All files (*)"


class FileActions(QObject):
    """Commands of the user that read and write files, with their dialogs."""

    def __init__(
        self,
        parent: QWidget,
        controller: SessionController,
        guard: FeedbackGuard,
        notices: NoticeStack,
        session_actions: SessionActions,
    ) -> None:
        super().__init__(parent)
        self._parent = parent
        self._controller = controller
        self._guard = guard
        self._notices = notices
        self._session_actions = session_actions
        self.comparison: Callable[[], Comparison | None] = lambda: None
        """Results of the comparison of two recordings for the next export; None without them."""
        self.learned_equalizer: Callable[[], LearnedEqualizer | None] = lambda: None
        """The learned equalizer; None before the first one."""
        self._missing = ""
        self._exporter = Exporter(self)
        self._exporter.done.connect(self._show_exported)
        self._exporter.ended.connect(self._show_export_ended)

    def close(self) -> None:
        """Cancel a running export, and wait until it has ended."""
        self._exporter.close()

    def open_file(self) -> None:
        """Ask for a sound file and play it, or for two and compare them."""
        dialog = self._dialog("Open sound file", SOUND_FILES, QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self.open_paths)
        show_single(self._parent, "Open sound file", dialog)

    def open_slot(self, slot: str) -> None:
        """Ask for the recording of a slot, or for further targets (`ADDED`)."""
        if slot == "dry":
            self._ask_for_path("Open dry recording", SOUND_FILES, self.choose_dry)
        elif slot == ADDED:
            dialog = self._dialog("Add target recordings", SOUND_FILES, QFileDialog.FileMode.ExistingFiles)
            dialog.filesSelected.connect(lambda paths: self.choose_targets(paths, slot))
            show_single(self._parent, "Add target recordings", dialog)
        else:
            self.open_target(slot)

    def choose_dry(self, path: str) -> None:
        """Play a recording, compared with the present target recordings if there are any."""
        config = self._controller.config
        if config.is_pair:
            played = config.target
            others = [target for target in config.second_recordings if target != played]
            self._session_actions.choose_recordings(path, [played, *others])
        else:
            self._session_actions.choose_source((path, None))

    def choose_targets(self, paths: Sequence[str], slot: str) -> None:
        """Compare the present recording with target recordings: the first one fills `slot`, the others are added."""
        config = self._controller.config
        if not config.is_pair:
            self._session_actions.choose_target(paths[0])
            if len(paths) > 1 and self._controller.config.is_pair:
                self.choose_targets(paths[1:], ADDED)
            return
        targets, played = list(config.second_recordings), config.target
        if slot != ADDED and (slot == PLAYED or slot in TARGET_SLOTS[: len(targets)]):
            index = targets.index(played) if slot == PLAYED else TARGET_SLOTS.index(slot)
            played = paths[0] if targets[index] == played else played
            targets[index] = paths[0]
            paths = paths[1:]
        targets = list(dict.fromkeys([*targets, *paths]))
        self._session_actions.change_targets(targets[:MAX_TARGETS], played)
        self._report_unopened(len(targets) - MAX_TARGETS)

    def open_target(self, slot: str = PLAYED) -> None:
        """Ask for a second recording for `slot`, and compare the present one with it."""
        if not self._controller.config.is_file:
            self._notices.show_error("A recording is compared with another one; open the dry recording first")
            self._session_actions.config_changed.emit()
            return
        self._ask_for_path("Open target recording", SOUND_FILES, lambda path: self.choose_targets([path], slot))

    def open_paths(self, paths: Sequence[str], slot: str | None = None) -> None:
        """Open a preset or a sound file, or compare the first of several with the others; `slot` is where they go."""
        if not paths:  # a drop of something else than files
            return
        if any(path.endswith(".json") for path in paths):
            self.open_path(paths[0])
        elif slot is not None and slot != "dry" and self._controller.config.is_file:
            self.choose_targets(paths, slot)
        elif len(paths) > 1:
            self._session_actions.choose_recordings(paths[0], paths[1 : 1 + MAX_TARGETS])
            self._report_unopened(len(paths) - 1 - MAX_TARGETS)
        elif slot == "dry":
            self.choose_dry(paths[0])
        else:
            self.open_path(paths[0])

    def _report_unopened(self, count: int) -> None:
        if count > 0:
            self._notices.show_error(f"At most {MAX_TARGETS} targets are compared; {count} more were not opened")

    def open_path(self, path: str) -> None:
        """Open a preset (``.json``) or play a sound file."""
        if path.endswith(".json"):
            self.load_preset(path)
        else:
            self._session_actions.choose_source((path, None))

    def open_preset(self) -> None:
        """Ask for a preset file and open it."""
        self._ask_for_path("Open preset", PRESETS, self.load_preset)

    def load_preset(self, path: str) -> None:
        """Restart with the session of the preset file `path`."""
        try:
            config = make_session_config(**load_preset(Path(path)))
        except InputError as error:
            self._notices.show_error(str(error))
        else:
            self._session_actions.open_config(config)

    def save_preset(self) -> None:
        """Ask for a name, and save the present session as a preset."""
        dialog = QInputDialog(self._parent)
        dialog.setLabelText("Preset name:")
        dialog.textValueSelected.connect(self.save_preset_as)
        show_single(self._parent, "Save preset", dialog)

    def save_preset_as(self, name: str) -> None:
        """Save the present session as the preset `name`."""
        try:
            path = save_preset(name, self._with_monitor(self._controller.config))
        except InputError as error:
            self._notices.show_error(str(error))
        else:
            text = f"Preset “{path.stem}” saved. Open it from File ▸ Presets."
            self._notices.show_notice("preset", text, is_warning=False)

    def load_equalizer(self) -> None:
        """Ask for an equalizer file, and use it in the reference path."""
        self._ask_for_path("Load equalizer", EQUALIZERS, self.load_equalizer_from)

    def load_equalizer_from(self, path: str) -> None:
        """Use the equalizer of the file `path` in the reference path."""
        if self._controller.config.target != "reference":
            self._notices.show_error("The equalizer belongs to the reference path; select it as the target first")
            return
        try:
            equalizer = to_option(read_equalizer(Path(path)))
        except InputError as error:
            self._notices.show_error(str(error))
        else:
            self._session_actions.change_reference({"equalizer": equalizer})
            self._session_actions.config_changed.emit()

    def save_equalizer(self) -> None:
        """Ask for a file, and write the learned equalizer there."""
        if self.learned_equalizer() is None:
            self._notices.show_error("No equalizer is learned yet; select the processor Equalizer first")
            return
        dialog = self._dialog("Save equalizer", EQUALIZERS, QFileDialog.FileMode.AnyFile)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("txt")
        dialog.selectFile("equalizer.txt")
        dialog.fileSelected.connect(self.save_equalizer_to)
        show_single(self._parent, "Save equalizer", dialog)

    def save_equalizer_to(self, path: str) -> None:
        """Write the learned equalizer to the file `path`."""
        learned = self.learned_equalizer()
        if learned is None:
            return
        try:
            write_atomic(Path(path), format_equalizer(learned.equalizer).encode())
        except InputError as error:
            self._notices.show_error(str(error))
        else:
            self._notices.show_notice("equalizer", f"Equalizer saved as {path}.", is_warning=False)

    def export(self) -> None:
        """Ask for a folder, and export the results of the session there."""
        if self._controller.results() is None:
            self._notices.show_error("Nothing to export yet; start the session first")
            return
        self._ask_for_path("Export to a new folder in …", "", self.export_to, QFileDialog.FileMode.Directory)

    def export_to(self, folder: str) -> None:
        """Write CSV, JSON, PNG and preset into a new folder in `folder`."""
        results = self._controller.results()
        if results is not None:
            report = "report, sounds, " if self._controller.config.is_pair else ""
            text = f"Writing {report}CSV, JSON, figure and preset…"
            self._notices.show_progress("export", text, self._exporter.cancel)
            results = replace(results, config=self._with_monitor(results.config))
            comparison = self.comparison()
            self._missing = _missing_parts(results.config, comparison)
            self._exporter.export(results, Path(folder), comparison)

    def _with_monitor(self, config: SessionConfig) -> SessionConfig:
        """Return `config` with the requested monitor, unless that is its default."""
        requested = self._guard.requested
        return config if requested == config.resolved_monitor() else with_changes(config, monitor=requested)

    def _show_exported(self, folder: str) -> None:
        url = QUrl.fromLocalFile(folder)
        self._notices.show_notice(
            "export",
            f"Exported to {folder}{self._missing}.",
            "Open folder",
            lambda: QDesktopServices.openUrl(url),
            is_warning=False,
        )

    def _show_export_ended(self, reason: str) -> None:
        self._notices.dismiss("export")
        if reason:
            self._notices.show_error(reason)

    def _ask_for_path(
        self,
        title: str,
        name_filter: str,
        on_selected: Callable[[str], object],
        mode: QFileDialog.FileMode = QFileDialog.FileMode.ExistingFile,
    ) -> None:
        dialog = self._dialog(title, name_filter, mode)
        dialog.fileSelected.connect(on_selected)
        show_single(self._parent, title, dialog)

    def _dialog(self, title: str, name_filter: str, mode: QFileDialog.FileMode) -> QFileDialog:
        dialog = QFileDialog(self._parent, title, "", name_filter)
        dialog.setFileMode(mode)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, mode == QFileDialog.FileMode.Directory)
        return dialog


def _missing_parts(config: SessionConfig, comparison: "Comparison | None") -> str:
    """Say what an export of two recordings lacks, because they are not compared yet; empty if it is complete."""
    if not config.is_pair or (comparison is not None and comparison.match is not None):
        return ""
    parts = "gain and findings" if comparison is not None else "report and sounds"
    return f" without {parts}, because the recordings are still being compared; export again later"
