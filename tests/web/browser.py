"""Chromium, as people have it at a desk and in the hand, kept from talking to anybody but the pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.real.support import HarnessError

DESKTOP, PHONE = (1280, 900), (390, 844)
PATIENCE = 60_000
"""Milliseconds after which what a page should show is missing: for a busy machine, as all that waits for readiness."""
expect.set_options(timeout=PATIENCE)

_ARGUMENTS = (
    "--no-sandbox",  # tests run as root
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication,CertificateTransparencyComponentUpdater",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    path = shutil.which("chromium")
    if path is None:
        raise HarnessError("chromium is missing: scripts/install test installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def context_of(
    browser: Browser,
    *,
    size: tuple[int, int] = DESKTOP,
    language: str = "en",
    dark: bool = False,
    javascript: bool = True,
) -> BrowserContext:
    """A fresh profile."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        is_mobile=size == PHONE,
        has_touch=size == PHONE,
        locale=language,
        color_scheme="dark" if dark else "light",
        java_script_enabled=javascript,
        timezone_id="Europe/Paris",
    )
    context.set_default_timeout(PATIENCE)
    return context
