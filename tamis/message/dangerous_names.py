"""File names that give a file away: what a double click runs, and what carries such things past other guards.

One table, with a source for each row. No list is complete, so content is looked at as well (`file_names`, and the
reading of attachments in helper processes).
"""

from __future__ import annotations

from dataclasses import dataclass

OUTLOOK = "Outlook, blocked attachments (support.microsoft.com)"
EXCHANGE = "Exchange Online, OwaMailboxPolicy BlockedFileTypes (learn.microsoft.com)"
DEFENDER = "Defender for Office 365, common attachments filter (learn.microsoft.com)"
ATTACK_SCRIPTS = "MITRE ATT&CK T1059, command and scripting interpreter"
GMAIL = "Gmail, blocked file types (support.google.com/mail/answer/6590)"
ATTACK_USER = "MITRE ATT&CK T1204.002, malicious file"
ATTACK_CONTAINER = "MITRE ATT&CK T1553.005, mark-of-the-web bypass"
ATTACK_SMUGGLING = "MITRE ATT&CK T1027.006, HTML smuggling"
OFFICE = "Microsoft 365, macros from the internet are blocked (learn.microsoft.com)"


@dataclass(frozen=True, slots=True)
class Names:
    """One kind of file: its extensions, what they do, who says so; ``runs`` if opening one runs what is in it."""

    kind: str
    extensions: frozenset[str]
    runs: bool
    source: str


def _runs(kind: str, extensions: str, source: str) -> Names:
    return Names(kind, frozenset(extensions.split()), True, source)


def _carries(kind: str, extensions: str, source: str) -> Names:
    return Names(kind, frozenset(extensions.split()), False, source)


DANGEROUS: tuple[Names, ...] = (
    _runs(
        "Windows programs", "exe com scr pif cpl dll ocx sys drv vxd efi ex ex_ nsh", f"{OUTLOOK}; {GMAIL}"
    ),
    _runs("Windows installers", "msi msp mst msu msix msixbundle appx appxbundle", f"{OUTLOOK}; {GMAIL}"),
    _runs(
        "provisioning and merge modules", "ppkg msm", "Windows provisioning packages (learn.microsoft.com)"
    ),
    _runs("App Installer", "appinstaller", "CVE-2021-43890 (msrc.microsoft.com)"),
    _runs("ClickOnce", "application appref-ms vsto", f"{OUTLOOK}; {ATTACK_USER}"),
    _runs("batch files", "bat cmd btm", f"{OUTLOOK}; {GMAIL}"),
    _runs("Windows scripts", "vbs vbe vb js jse mjs ws wsf wsc wsh sct hta htc", f"{OUTLOOK}; {GMAIL}"),
    _runs(
        "PowerShell",
        "ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psdm1 psm1 pssc cdxml msh msh1 msh2 mshxml msh1xml msh2xml",
        OUTLOOK,
    ),
    _runs("Java", "jar jnlp class war ear", f"{OUTLOOK}; {GMAIL}; {ATTACK_USER}"),
    _runs("AutoHotkey and AutoIt", "ahk au3 a3x", "MITRE ATT&CK T1059.010, AutoHotKey and AutoIT"),
    _runs("shortcuts", "lnk url website scf", f"{OUTLOOK}; CVE-2024-21412"),
    _runs(
        "shortcuts of macOS",
        "webloc inetloc fileloc ftploc mailloc",
        f"{ATTACK_USER}; SSD, September 2021, .inetloc",
    ),
    _runs(
        "settings and search links",
        "settingcontent-ms appcontent-ms search-ms searchconnector-ms library-ms",
        "CVE-2018-8414; CVE-2025-24054",
    ),
    _runs("registry and setup", "reg inf ins isp job grp", f"{OUTLOOK}; {EXCHANGE}"),
    _runs("consoles and help", "msc chm hlp", f"{OUTLOOK}; {GMAIL}"),
    _runs("gadgets and browser programs", "gadget xbap", f"{OUTLOOK}; {EXCHANGE}"),
    _runs("diagnostics", "diagcab diagcfg diagpkg diagpack msrcincident", f"{GMAIL}; CVE-2022-34713"),
    _runs("themes", "theme themepack deskthemepack", "CVE-2023-38146"),
    _runs(
        "remote desktop",
        "rdp ica pbk",
        "Microsoft Threat Intelligence, 29 October 2024, RDP files of Midnight Blizzard",
    ),
    _runs(
        "data links and queries",
        "udl iqy oqy rqy dqy slk",
        f"{OUTLOOK}; Excel Trust Center, external content",
    ),
    _runs("Office add-ins", "xll wll xlam ppam ppa xla", f"{OUTLOOK}; {DEFENDER}"),
    _runs(
        "Access",
        "ade adp accde accdr accda mad maf mag mam maq mar mas mat mau mav maw mda mde mdt mdw mdz",
        OUTLOOK,
    ),
    _runs(
        "scraps and screen themes",
        "shb shs pcd cnt hpj fxp prg csh ksh ops osd plg prf xnk vsw vsmacros",
        OUTLOOK,
    ),
    _runs("Windows Sandbox, printer and web packages", "wsb printerexport webpnp mcf", OUTLOOK),
    _runs(
        "projects that run when built or opened",
        "csproj vbproj vcxproj sln suo vbp",
        "MITRE ATT&CK T1127.001, MSBuild",
    ),
    _runs(
        "macOS",
        "app pkg mpkg tpkg xip command tool workflow action widget scpt scptd applescript terminal dmg kext",
        f"{GMAIL}; {ATTACK_USER}",
    ),
    _runs(
        "Linux",
        "desktop run elf appimage deb rpm so ko flatpak flatpakref snap",
        f"{DEFENDER}; {ATTACK_USER}",
    ),
    _runs(
        "mobile", "apk apkm xapk aab dex ipa mobileconfig", f"{DEFENDER}; Apple Platform Deployment, profiles"
    ),
    _runs("browser extensions", "crx xpi", "MITRE ATT&CK T1176, browser extensions"),
    _carries(
        "scripts of developers",
        "py pyc pyo pyw pyz pyzw pl sh bash zsh ksh tcsh fish rb rbw php phtml phar asp aspx jsp lua tcl awk kix groovy"
        " coffee jsx vbscript",
        f"{OUTLOOK}; {EXCHANGE}; {ATTACK_SCRIPTS}",
    ),
    _carries(
        "disk images",
        "iso img vhd vhdx udf nrg mdf mdx ccd b5t isz daa uif vmdk vdi qcow2 wim swm esd ffu"
        " toast cdr sparseimage sparsebundle",
        f"{GMAIL}; {ATTACK_CONTAINER}",
    ),
    _carries(
        "OneNote", "one onepkg onetoc2", "OneNote blocks embedded files (learn.microsoft.com/deployoffice)"
    ),
    _carries(
        "rare archives",
        "ace arj lha lzh arc zoo uue uu xxe z cab rev pea egg alz sit sitx hqx b1 zpaq kgb xar cpio r00",
        f"{DEFENDER}; {ATTACK_CONTAINER}",
    ),
    _carries(
        "macros", "docm dotm docb xlsm xltm xlsb xlm pptm potm ppsm sldm vsdm vssm vstm oxt accdt", OFFICE
    ),
    _carries(
        "Flash, forms and fonts of old", "swf xfdf fdf xdp ani", f"{DEFENDER}; CVE-2007-0038; CVE-2018-4878"
    ),
    _carries("packages of developers", "nupkg vsix", "MITRE ATT&CK T1195.002, software supply chain"),
    _carries(
        "contacts and networks that run programs",
        "contact ovpn",
        "CVE-2022-44666; openvpn(8), script-security",
    ),
    _carries(
        "pages and drawings that can hold code",
        "html htm shtml shtm xhtml xht mht mhtml webarchive svg svgz xsl xslt",
        ATTACK_SMUGGLING,
    ),
    _carries("certificates", "cer crt der", OUTLOOK),
    _carries("databases and mailboxes", "mdb accdb pst ost", OUTLOOK),
    _carries("old code", "bas asx tmp lib its mau", f"{OUTLOOK}; {GMAIL}"),
    _carries("downloads", "torrent metalink meta4", ATTACK_USER),
)
"""The kinds of names, those that run first."""

RUNS = frozenset(extension for row in DANGEROUS if row.runs for extension in row.extensions)
"""Extensions of what a system runs, or lets run what is in it."""

CARRIES = frozenset(extension for row in DANGEROUS if not row.runs for extension in row.extensions) - RUNS
"""Extensions of what carries programs or code past other guards, and is honest now and then."""
