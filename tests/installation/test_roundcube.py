"""What scripts/try-roundcube takes from the guide. The command itself reads mail in a Debian of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.try_roundcube import GUIDE, configuration, guided


def test_the_guides_lines_are_what_is_tried() -> None:
    files = guided(GUIDE.read_text(encoding="utf-8"))
    assert list(files) == ["config.inc.php", "plugins/markasjunk/config.inc.php"]
    own, plugin = files.values()
    assert "'markasjunk'" in own
    assert "$config['markasjunk_spam_mbox'] = 'Junk';\n" in plugin
    for line in (own + plugin).splitlines():
        assert line.startswith("$config["), line


@pytest.mark.parametrize("other", ["", "## Nextcloud Mail\n\nIn `/etc/roundcube/x.php`:\n\n    $config[];\n"])
def test_what_another_section_says_is_left_out(other: str) -> None:
    assert guided(f"# Mail\n\n## Roundcube\n\nIn `/etc/roundcube/a.php`:\n\n    b;\n\n{other}") == {
        "a.php": "b;\n"
    }


def test_the_settings_are_a_php_file_with_the_lines_at_its_end() -> None:
    written = configuration("$config['junk_mbox'] = 'Junk';\n", imap=1143, database=Path("/x.sqlite"))
    assert written.startswith("<?php\n")
    assert "'127.0.0.1:1143'" in written
    assert written.endswith("$config['junk_mbox'] = 'Junk';\n")
