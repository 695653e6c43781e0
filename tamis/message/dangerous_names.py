"""File names that give a file away: what a double click runs, and what carries such things past other guards.

One table, with a source for each row. No list is complete, so content is looked at as well (`file_names`, and the
reading of attachments in helper processes).
"""

from __future__ import annotations

from dataclasses import dataclass

CHROMIUM = "Chromium, components/safe_browsing/content/resources/download_file_types.asciipb"
RSPAMD = "rspamd, src/plugins/lua/mime_types.lua, which has those of Outlook and Gmail"
OWA = "Exchange, BlockedFileTypes of OwaMailboxPolicy, as uni-kassel.de lists them"
DEFENDER = "Defender for Office 365, default of the common attachments filter (Get-MalwareFilterPolicy)"
GATEWAYS = "gist.github.com/jdgregson, file types to block at mail gateways"
DESKTOPS = "lists of what desktop programs refuse to open, in public source repositories"
MAILSCANNER = "MailScanner, filename.rules.conf"
ATTACK_USER = "MITRE ATT&CK T1204.002, malicious file"
SMARTSCREEN = "github.com/AndyFul/Run-By-Smartscreen, unsafe file extensions"
SEVEN_ZIP = "7-Zip, its list of formats (7zz i)"
CIS = "CIS Microsoft 365 Foundations Benchmark 2.1.11, as github.com/maester365/maester quotes it"
COMODO = "help.comodo.com, Secure Email Gateway, extensions blocked by default"
IMGDRIVE = "github.com/dvdforge/imgdrive-docs, supported-formats.md: images that a double click mounts"
ONENOTE = "MicrosoftDocs/OfficeDocs-DeployOffice, whats-new.md; SigmaHQ, OneNote attachment"


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
        "Windows programs",
        "exe com scr pif cpl dll ocx sys drv vxd efi nsh pyd",
        f"{CHROMIUM}; {RSPAMD}; {DEFENDER}; {ATTACK_USER}",
    ),
    _runs(
        "programs packed for an installer",
        "ex_",
        "medplum/medplum, BLOCKED_FILE_EXTENSIONS, after Gmail's blocked types",
    ),
    _runs(
        "Windows installers",
        "msi msp mst msu msix msixbundle appx appxbundle",
        f"{CHROMIUM}; {RSPAMD}; {DEFENDER}; {GATEWAYS}; {DESKTOPS}",
    ),
    _runs("App Installer", "appinstaller", f"{GATEWAYS}; {CIS}"),
    _runs("ClickOnce", "application appref-ms", f"{CHROMIUM}; {OWA}"),
    _runs(
        "Visual Studio Tools for Office",
        "vsto",
        "attack.mitre.org, detection strategy DET0050: add-ins as .wll, .xll, .dll or .vsto",
    ),
    _runs("batch files", "bat cmd", f"{CHROMIUM}; {RSPAMD}; {DEFENDER}"),
    _runs("batch files of 4DOS and Take Command", "btm", COMODO),
    _runs(
        "Windows scripts",
        "vbs vbe vb js jse ws wsf wsc wsh sct hta htc vbscript",
        f"{CHROMIUM}; {RSPAMD}; {OWA}; {DEFENDER}",
    ),
    _runs(
        "PowerShell",
        "ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psdm1 psm1 pssc cdxml msh msh1 msh2 mshxml msh1xml msh2xml",
        f"{CHROMIUM}; {RSPAMD}; {OWA}; {DESKTOPS}",
    ),
    _runs("Java", "jar jnlp class", f"{CHROMIUM}; {RSPAMD}; {DEFENDER}"),
    _runs(
        "AutoHotkey", "ahk", "github.com/Foundstone/OpenCNA, analyzer/random-process-name/src/extensions.py"
    ),
    _runs("AutoIt", "au3 a3x", f"autoitscript.com, help, compiling scripts; {CIS}; filesec.io"),
    _runs("shortcuts", "lnk url website scf", f"{CHROMIUM}; {RSPAMD}; {ATTACK_USER}"),
    _runs("shortcuts of macOS", "webloc inetloc fileloc", f"{CHROMIUM}; {GATEWAYS}; {DESKTOPS}"),
    _runs(
        "shortcuts to servers, macOS",
        "ftploc afploc atloc",
        "Mozilla, toolkit/components/reputationservice/ApplicationReputation.cpp, executables",
    ),
    _runs(
        "settings and search links",
        "settingcontent-ms appcontent-ms search-ms searchconnector-ms library-ms",
        f"{CHROMIUM}; {OWA}; {GATEWAYS}; {DESKTOPS}",
    ),
    _runs("registry and setup", "reg rgs inf ins isp job grp", f"{CHROMIUM}; {RSPAMD}; {MAILSCANNER}"),
    _runs("consoles and help", "msc mmc chm chi hlp", f"{CHROMIUM}; {RSPAMD}"),
    _runs("gadgets and browser programs", "gadget xbap", CHROMIUM),
    _runs("diagnostics", "diagcab diagcfg diagpkg", f"{OWA}; {GATEWAYS}"),
    _runs("diagnostics of Microsoft's support", "msrcincident", f"{CIS}; filesec.io"),
    _runs("themes", "theme themepack deskthemepack", f"{RSPAMD}; pastebin.com/index/rUGpEBfD"),
    _runs(
        "remote desktop",
        "rdp",
        "microsoft.com/security/blog, 29 October 2024, as techtarget.com tells it",
    ),
    _runs(
        "Citrix connections",
        "ica",
        "support.citrix.com, CTX584240; oas.co.za, ICA file security: it names the host that opening it connects to",
    ),
    _runs(
        "phone books of Windows",
        "pbk",
        "learn.microsoft.com, RRAS, custom dialers: an entry names the DLL that dials",
    ),
    _runs(
        "data links and queries",
        "udl iqy oqy dqy slk",
        f"{CHROMIUM}; {OWA}; {GATEWAYS}; {SMARTSCREEN}",
    ),
    _runs(
        "queries of OLE DB",
        "rqy",
        "rspamd, src/plugins/lua/mime_types.lua: text/x-ms-rqy, Excel's like text/x-ms-iqy",
    ),
    _runs("Office add-ins", "xll wll xlam ppam ppa xla", f"{CHROMIUM}; {OWA}; {DEFENDER}; {DESKTOPS}"),
    _runs(
        "Access",
        "ade adp accda accde accdr mad maf mag mam maq mar mas mat mau mav maw mda mde mdt mdw mdz",
        f"{CHROMIUM}; {RSPAMD}",
    ),
    _runs(
        "scraps, profiles and old programs",
        "shb shs pcd cnt hpj fxp prg csh ksh ops osd plg prf xnk vsw vsmacros",
        f"{CHROMIUM}; {RSPAMD}; {OWA}",
    ),
    _runs("Windows Sandbox, printer and web packages", "wsb printerexport webpnp mcf", f"{OWA}; {RSPAMD}"),
    _runs("projects that run when built or opened", "csproj vbp", f"{GATEWAYS}; {OWA}"),
    _runs(
        "macOS",
        "app pkg mpkg xip command tool workflow action wflow caction scpt scptd applescript osas osax"
        " seplugin terminal dmg kext",
        f"{CHROMIUM}; {DEFENDER}; {DESKTOPS}",
    ),
    _runs(
        "Linux",
        "desktop run elf appimage deb rpm so flatpak flatpakref snap shar",
        f"{CHROMIUM}; {DEFENDER}; {DESKTOPS}",
    ),
    _runs(
        "mobile",
        "apk xapk dex ipa mobileconfig configprofile",
        f"{CHROMIUM}; {DEFENDER}; {GATEWAYS}; {DESKTOPS}",
    ),
    _runs("browser extensions", "crx xpi", f"{CHROMIUM}; {SEVEN_ZIP}"),
    _carries(
        "scripts of developers",
        "py pyc pyo pyw pyz pyzw pl sh bash zsh tcsh fish rb php asp aspx lua tcl jsx",
        f"{CHROMIUM}; {RSPAMD}; {OWA}; {GATEWAYS}; {DESKTOPS}",
    ),
    _carries(
        "scripts that a web server runs",
        "php3 php4 php5 php7 phps pht phtml phar",
        "techearl.com, file upload extension bypass; gdiz.eu.org, unsafe file types",
    ),
    _carries("Java Server Pages", "jsp", "support.mailprotector.com, blocked file types"),
    _carries(
        "Java applications for servers",
        "war ear",
        "r3zk0n.github.io, Java web application code review: each is an archive of JAR files",
    ),
    _carries(
        "NuGet and Chocolatey", "nupkg", "progress.com, anatomy of a Chocolatey package: PowerShell runs"
    ),
    _carries("extensions of Visual Studio", "vsix", "github.com/trailofbits/vsix-audit, README"),
    _carries("management objects and BgInfo", "mof bgi", f"{CIS}; filesec.io"),
    _carries(
        "OpenVPN",
        "ovpn",
        "github.com/OpenVPN/openvpn, doc/man-sections/script-options.rst: it names commands to run",
    ),
    _carries("contacts of Windows", "contact", "gizblog.it, February 2019: an address in it starts a script"),
    _carries(
        "disk images",
        "iso img vhd vhdx udf uif vmdk wim swm toast cdr dart dc42 diskcopy42 dmgpart dvdr imgpart ndif udif mdf"
        " sparseimage sparsebundle vdi qcow qcow2 avhdx esd ova ppkg squashfs",
        f"{CHROMIUM}; {OWA}; {DEFENDER}; {SMARTSCREEN}; {SEVEN_ZIP}",
    ),
    _carries(
        "disk images of PowerISO",
        "daa",
        f"{CIS}; oneconsult.com, emails are a popular entry point: an EXE file within an attached DAA file",
    ),
    _carries("disk images of burning programs", "nrg ccd isz mdx mds b5t b6t bwt cdi pdi", IMGDRIVE),
    _carries(
        "images of a whole disk",
        "ffu",
        "github.com/CodingWonders/DISMTools, discussion 334: DISM mounts them like WIM",
    ),
    _carries("OneNote", "one onepkg", ONENOTE),
    _carries(
        "rare archives",
        "ace arj arc lha lzh uue uu xxe b64 bhx mim hqx z cab rev pea zpaq xar cpio cpgz pax r00",
        f"{CHROMIUM}; {DEFENDER}; {MAILSCANNER}",
    ),
    _carries(
        "archives of ALZip",
        "alz egg",
        "blog.ahnlab.com/2376; hankookilbo.com, 30 April 2019: ransomware in mailed applications",
    ),
    _carries(
        "archives of StuffIt",
        "sit sitx",
        "macobserver.com, migrate your old StuffIt archives: encrypted and sent by mail",
    ),
    _carries(
        "archives of KGB Archiver", "kgb", "filesignature.org/kgb: encrypted, and no current program opens it"
    ),
    _carries(
        "macros",
        "docm dotm docb xlsm xltm xlsb xlm pptm potm ppsm sldm vsdm vssm vstm oxt accdt",
        f"{CHROMIUM}; {SMARTSCREEN}",
    ),
    _carries("Word's copies and wizards", "wbk wiz", f"{CIS}; filesec.io"),
    _carries("Flash, forms and cursors", "swf spl fdf ani", f"{CHROMIUM}; {MAILSCANNER}; {DEFENDER}"),
    _carries(
        "pages and drawings that can hold code",
        "html htm shtml shtm sht dhtml dhtm dht xhtml xhtm xht mht mhtml svg svgz xsl htt",
        f"{CHROMIUM}; {OWA}",
    ),
    _carries("certificates", "cer crt der", f"{CHROMIUM}; {OWA}"),
    _carries("databases and mailboxes", "mdb accdb pst", f"{CHROMIUM}; {RSPAMD}"),
    _carries("Outlook's offline mailboxes", "ost", "docs.fileformat.com/email/ost: the format of PST"),
    _carries("old code", "bas asx tmp lib its", f"{CHROMIUM}; {RSPAMD}; {OWA}"),
    _carries("downloads", "torrent btapp btskin btinstall btkey btsearch", CHROMIUM),
)
"""The kinds of names, those that run first."""

RUNS = frozenset(extension for row in DANGEROUS if row.runs for extension in row.extensions)
"""Extensions of what a system runs, or lets run what is in it."""

CARRIES = frozenset(extension for row in DANGEROUS if not row.runs for extension in row.extensions) - RUNS
"""Extensions of what carries programs or code past other guards, and is honest now and then."""

TYPES = {
    "application/x-msdownload": "exe",
    "application/x-dosexec": "exe",
    "application/x-msdos-program": "exe",
    "application/x-executable": "elf",
    "application/x-msi": "msi",
    "application/hta": "hta",
    "application/javascript": "js",
    "application/x-javascript": "js",
    "text/javascript": "js",
    "text/jscript": "js",
    "text/vbscript": "vbs",
    "text/scriptlet": "sct",
    "text/x-component": "htc",
    "application/java-archive": "jar",
    "application/x-java-jnlp-file": "jnlp",
    "application/winhlp": "hlp",
    "application/x-internet-signup": "ins",
    "x-internet-signup": "ins",
    "application/msaccess": "ade",
    "application/msaccess.addin": "accda",
    "application/prg": "prg",
    "application/olescript": "sct",
    "application/x-ms-application": "application",
    "application/windows-library+xml": "library-ms",
    "text/x-ms-iqy": "iqy",
    "text/x-ms-rqy": "rqy",
    "text/x-ms-contact": "contact",
    "application/x-ms-vsto": "vsto",
    "application/vsix": "vsix",
    "application/x-stuffit": "sit",
    "application/vnd.android.package-archive": "apk",
    "application/x-itunes-ipa": "ipa",
    "application/x-csh": "csh",
    "application/onenote": "one",
    "application/mac-binhex40": "hqx",
    "application/x-cpio": "cpio",
    "application/vnd.openofficeorg.extension": "oxt",
    "application/vnd.ms-word.document.macroenabled.12": "docm",
    "application/vnd.ms-word.template.macroenabled.12": "dotm",
    "application/vnd.ms-excel.sheet.macroenabled.12": "xlsm",
    "application/vnd.ms-excel.addin.macroenabled.12": "xlam",
    "application/vnd.ms-powerpoint.presentation.macroenabled.12": "pptm",
    "application/x-shockwave-flash": "swf",
    "application/x-sh": "sh",
    "application/x-iso9660-image": "iso",
    "application/x-apple-diskimage": "dmg",
    "application/x-ms-shortcut": "lnk",
    "application/x-rdp": "rdp",
}
"""Media types by which programs name a file that comes without a name (rspamd's mime_types.lua has most of them, and
BlockedMimeTypes of OwaMailboxPolicy; the others are the names that libmagic and freedesktop.org have)."""


MARKS = (
    (b"[internetshortcut]", "url"),
    (b"[desktop entry]", "desktop"),
    (b"[shell]", "scf"),
    (b"windows registry editor", "reg"),
    (b"regedit4", "reg"),
    (b"web\r\n1\r\n", "iqy"),
    (b"id;p", "slk"),
    (b"full address:s:", "rdp"),
    (b"<hta:application", "hta"),
    (b"@echo off", "bat"),
    (b"wscript.shell", "vbs"),
    (b"activexobject(", "js"),
    (b"[defaultinstall", "inf"),
    (b"<scriptlet", "sct"),
    (b"<job", "wsf"),
    (b"<pcsettings", "settingcontent-ms"),
    (b"<librarydescription", "library-ms"),
    (b"<searchconnectordescription", "searchconnector-ms"),
    (b"<jnlp", "jnlp"),
    (b"<mmc_consolefile", "msc"),
    (b"<appinstaller", "appinstaller"),
    (b"payloadtype", "mobileconfig"),
)
"""What such files begin with, in small letters, and the extension that they have."""
_MARKED = 1024
"""Octets in which a mark stands."""
_SHORT = 8
"""Octets of a mark that counts at the very beginning only."""


def named_by_content(name: str, octets: bytes) -> str:
    """The name that a file without an extension would have by what it begins with."""
    if "." in name.strip("."):
        return name
    head = octets[:_MARKED].replace(b"\0", b"").lower().removeprefix(b"\xff\xfe").lstrip()
    for mark, suffix in MARKS:
        if head.startswith(mark) or (len(mark) > _SHORT and mark in head):
            return f"{name or 'unnamed'}.{suffix}"
    return name


def named_by_type(name: str, media_type: str) -> str:
    """The name that a file gets where its own has no extension: by its media type, if that is one of `TYPES`."""
    suffix = TYPES.get(media_type)
    if suffix is None or "." in name.strip("."):
        return name
    return f"{name or 'unnamed'}.{suffix}"
