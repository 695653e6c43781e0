"""Two guides for people who run nothing: whose mail is filtered, and who is asked to confirm a message.

Tamis serves them itself: so every installation has them under the name that people know, in both languages, and no
mail of ours leads them elsewhere. docs/guides has the same words, made from these.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from tamis.language.translation import marked
from tamis.web.visit import Visit


@dataclass(frozen=True, slots=True)
class GuidePart:
    """A part of a guide: its heading ("" for the opening), paragraphs, and what can be chosen with what it does."""

    title: str
    says: tuple[str, ...]
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Guide:
    """A guide: the title of its page, and its parts."""

    title: str
    parts: tuple[GuidePart, ...]


RECIPIENTS = Guide(
    marked("Your mail and its spam filter"),
    (
        GuidePart(
            "",
            (
                marked(
                    "A spam filter stands in front of your mailbox. You need to install nothing and change nothing."
                ),
            ),
        ),
        GuidePart(
            marked("Where is a message that I am waiting for?"),
            (
                marked(
                    "Perhaps it is held. If you get a list of held messages by mail, look there. Otherwise open the "
                    "page of held mail, type your mail address, and open the link that is sent to you."
                ),
                marked(
                    "What is perhaps wanted comes first. Each message says why it is held, and can be read before "
                    "you decide."
                ),
            ),
            (
                (marked("Deliver"), marked("It comes into your inbox, as its sender wrote it.")),
                (
                    marked("Always allow"),
                    marked(
                        "It is delivered, and mail from its sender is allowed from now on. Where that is not enough, "
                        "the page says what stands in the way: a virus, say, or a forged sender."
                    ),
                ),
                (marked("Delete"), marked("It goes. The filter learns nothing from it.")),
                (marked("This is spam"), marked("It goes, and the filter learns what you don't want.")),
                (marked("Always block"), marked("It goes, and mail from its sender is held from now on.")),
            ),
        ),
        GuidePart(
            marked("Must I decide about each one?"),
            (
                marked(
                    "No. What you don't look at is deleted by itself; each message says when. Or tick the boxes of "
                    "several messages, or the one above them for all that are shown, and deliver or delete them with "
                    "one press."
                ),
            ),
        ),
        GuidePart(
            marked("I pressed the wrong button."),
            (
                marked(
                    "Press Undo on top of the page. Dealt with lists what is no longer held and what became of it; "
                    "for ten minutes what was deleted can be brought back there."
                ),
            ),
        ),
        GuidePart(
            marked("A message in Junk is not spam."),
            (
                marked(
                    "Move it to the inbox in your mail program. Moving it teaches the filter; so does moving spam "
                    "into Junk. Nothing else is needed."
                ),
            ),
        ),
        GuidePart(
            marked("Is the list by mail genuine?"),
            (
                marked(
                    "It names your mailbox, asks for no password and no money, and opening a link in it changes "
                    "nothing: the page shows the message and asks you again."
                ),
            ),
        ),
        GuidePart(
            marked("What can I choose?"),
            (
                marked(
                    "Under Settings, when the list comes, your language and your time zone, and more if your "
                    "administrator lets you. Under Senders, whose mail is always allowed or always blocked."
                ),
            ),
        ),
    ),
)

SENDERS = Guide(
    marked("Somebody asks me to confirm my message"),
    (
        GuidePart(
            "",
            (
                marked(
                    "You wrote to somebody, and a mail came back: your message is waiting, with a link. Or your mail "
                    "program shows such a link in an error. The recipient's mail server looks with some care at mail "
                    "from people it does not know, and it held yours."
                ),
            ),
        ),
        GuidePart(
            marked("What should I do?"),
            (
                marked(
                    "Open the link and press the one button. Your message is delivered as you wrote it; you need not "
                    "send it again."
                ),
                marked(
                    "Instead of the button you can type a code of six digits, shown as an image and read aloud. "
                    "It also works without scripts."
                ),
            ),
        ),
        GuidePart(
            marked("Will I be asked each time?"),
            (
                marked(
                    "The button delivers one message: a program could press it as well. Never ask me again, which the "
                    "page offers afterwards, asks for a code once. Then your next messages to that domain pass "
                    "without the question, as long as your own mail server can be verified."
                ),
            ),
        ),
        GuidePart(
            marked("Is it genuine?"),
            (
                marked(
                    "Such a mail names the subject and the time of the message you sent, and whom you wrote to. It "
                    "asks for no password, no payment and no download. If you did not write to that person, ignore "
                    "it: somebody used your address, and nothing happens."
                ),
            ),
        ),
        GuidePart(
            marked("Why me?"),
            (
                marked(
                    "The page says it in plain words: your mail server has no name, for instance, or your text looks "
                    "like what others send in bulk. If it keeps happening, show the reason to whoever runs your mail."
                ),
            ),
        ),
        GuidePart(
            marked("What if I do nothing?"),
            (
                marked(
                    "The recipient sees your message in the list of held mail and can deliver it. On the day that "
                    "the page names it is deleted. About viruses, and mail that pretends to be from somebody else, "
                    "nobody is ever asked."
                ),
            ),
        ),
    ),
)


def show_recipients(visit: Visit) -> Response:
    """The guide for whose mail is filtered."""
    return visit.render("guide.html", guide=RECIPIENTS)


def show_senders(visit: Visit) -> Response:
    """The guide for who is asked to confirm a message."""
    return visit.render("guide.html", guide=SENDERS)
