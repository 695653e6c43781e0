"""The base that ships: its rules say what they are, do what their examples say, and leave everyday mail alone."""

from __future__ import annotations

import time

import pytest

from tamis.base.errors import ConfigError
from tamis.knowledge import SHIPPED, BaseFiles, compile_base, read_base
from tamis.message.mail import Mail
from tamis.rules.rule_file import failed_examples

BASE = compile_base(read_base(SHIPPED))
REQUIRED = 7.5
MOST = 3.0


IN_PAIRS = {name for one, others in BASE.pairs.items() for name in (one, *(other for other, _ in others))}


def points_of(message: str) -> float:
    met = BASE.book.match(Mail(message.encode()), BASE.spoken).values
    return sum(BASE.book.by_name[name].points for name in met) + sum(
        points for *_, points in BASE.pairs_met(met)
    )


def letter(sender: str, subject: str, text: str, more: str = "") -> str:
    return f"From: {sender}\nTo: marie@example.com\nSubject: {subject}\n{more}\n{text}\n"


def test_every_example_is_met() -> None:
    assert list(failed_examples(BASE.book)) == []


@pytest.mark.parametrize("name", [rule.name for rule in BASE.speaking])
def test_every_rule_says_what_it_is(name: str) -> None:
    rule = BASE.book.by_name[name]
    assert set(rule.says) == {"en", "fr"}
    assert rule.hits
    assert rule.clear
    assert rule.family
    assert rule.since
    assert rule.points or name in IN_PAIRS, "a rule without effect is not shipped"
    assert rule.points <= MOST, "at least three must agree"


def test_no_pair_decides() -> None:
    assert BASE.pairs
    assert all(0 < points <= MOST for others in BASE.pairs.values() for _, points in others)


def test_a_pair_counts_where_both_match() -> None:
    one, others = next(iter(BASE.pairs.items()))
    other, points = others[0]
    assert list(BASE.pairs_met({one, other})) == [(one, other, points)]
    assert list(BASE.pairs_met({one})) == list(BASE.pairs_met({other})) == []


def test_parts_have_no_points() -> None:
    assert all(rule.points == 0 for rule in BASE.book.rules if rule.action == "none")


SPAM = {
    "account": letter(
        "PayPal <service@example.top>",
        "Your account has been limited",
        "Dear customer,\n\nyour account has been suspended. Please verify your identity within 24 hours:\n"
        "https://abc.web.app/x#marie@example.com\n\nKindly act now.",
    ),
    "mailbox": letter(
        "example.com support <x@example.top>",
        "example.com: your mailbox is full",
        "Your password expires today. Keep your current password: https://abc.web.app/x#marie@example.com\n"
        "You have 8 pending messages. Kindly validate your account now!",
    ),
    "inheritance": letter(
        "Paul <paul@example.net>",
        "GOOD NEWS FOR YOU",
        "Dear friend,\n\nI am the attorney of a deceased client who left eighteen million US dollars. You are the "
        "next of kin and beneficiary. This business proposal is of utmost confidentiality. Kindly contact me on my "
        "private email.\n\n"
        "I hope this email finds you well. Looking forward to your urgent response.",
        "Reply-To: barrister@gmail.com\n",
    ),
}


@pytest.mark.parametrize("name", SPAM)
def test_what_everybody_knows_is_enough(name: str) -> None:
    assert points_of(SPAM[name]) >= REQUIRED


HAM = {
    "order": letter(
        "Example Shop <no-reply@shop.example.com>",
        "Your order #48213377 has been confirmed",
        "Thank you for your order! Total: EUR 129.90. We will send the tracking number as soon as your parcel ships.\n"
        "Questions? Contact our customer service: https://shop.example.com/help",
    ),
    "sign-in": letter(
        "Example Cloud <security@cloud.example.com>",
        "New sign-in to your account",
        "We noticed a new sign-in from a device we don't recognise. If this was not you, change your password "
        "within 24 hours: https://cloud.example.com/security",
    ),
    "password": letter(
        "Example ID <no-reply@id.example.com>",
        "Reset your password",
        "Somebody asked to reset your password. The link expires in 24 hours: https://id.example.com/reset/0f3c",
    ),
    "payment": letter(
        "Example Billing <billing@example.net>",
        "Your payment failed",
        "We were unable to process your last payment of $12.00. Please update your payment method to avoid "
        "suspension of your subscription: https://billing.example.net/",
    ),
    "parcel": letter(
        "Livraison Exemple <info@livraison.example.org>",
        "Votre colis est en attente en point relais",
        "Bonjour,\n\nvotre colis est disponible en point relais jusqu'au 12 mars. Suivre : https://livraison.example.org/s",
    ),
    "bank": letter(
        "Banque Exemple <info@banque.example.com>",
        "Votre relevé de compte est disponible",
        "Cher client,\n\nvotre relevé est dans votre espace client. Nous ne demandons jamais votre mot de passe.",
    ),
    "refund": letter(
        "Mutuelle Exemple <info@mutuelle.example.org>",
        "Remboursement de vos soins",
        "Bonjour,\n\nun remboursement de 23,50 EUR a été effectué sur votre compte. Le détail est dans votre espace.",
    ),
    "newsletter": letter(
        "Example Fashion <news@fashion.example.com>",
        "Last chance: 50% off everything ends tonight!",
        "SALE: up to 50% off, free shipping. Shop now, don't miss it: https://fashion.example.com/sale\n"
        "You are receiving this because you signed up. Unsubscribe: https://fashion.example.com/u",
    ),
    "survey": letter(
        "Example Support <support@example.com>",
        "How did we do? Take our short survey",
        "Please answer three quick questions and win a $50 gift card: https://survey.example.net/abc",
    ),
    "invitation": letter(
        "Association Exemple <asso@example.org>",
        "Invitation à l'assemblée générale",
        "Chère adhérente,\n\nnous vous invitons le 3 avril. Merci de confirmer votre présence avant le 20 mars.",
    ),
    "notary": letter(
        "Notaire Exemple <etude@notaire.example.org>",
        "Succession de votre oncle",
        "Madame,\n\nsuite au décès de votre oncle, les héritiers sont convoqués le 3 avril.",
    ),
    "bounce": letter(
        "Mail Delivery System <MAILER-DAEMON@mx.example.com>",
        "Undelivered Mail Returned to Sender",
        "I'm sorry to have to inform you that your message could not be delivered.\n"
        "<paul@example.org>: host mx.example.org said: 452 4.2.2 mailbox is full",
    ),
    "quotation": letter(
        "Paul <paul@supplier.example.com>",
        "Quotation 2026-114",
        "Dear Marie,\n\nplease find attached our quotation and price list. Delivery time four weeks, FOB Hamburg.\n"
        "Looking forward to your order.",
    ),
    "shared": letter(
        "Sophie <sophie@orange.fr>", "Fw: document", "Coucou, regarde https://docs.google.com/document/d/abc"
    ),
    "link alone": letter("Marie <marie.m@yahoo.fr>", "", "https://www.example.com/article"),
    "developers": letter(
        "Paul <paul@example.org>",
        "Re: SEO and the search page",
        "> Is the password in the URL?\nNo. The account is locked after ten attempts; see https://192.0.2.7/doc",
        "In-Reply-To: <1@example.com>\nReferences: <1@example.com>\n",
    ),
}


@pytest.mark.parametrize("name", HAM)
def test_everyday_mail_is_left_alone(name: str) -> None:
    assert points_of(HAM[name]) < REQUIRED / 2 + 0.5


HOSTILE = [
    "password " * 20_000,
    "a" * 200_000,
    "your account has been " * 8000,
    "dear " * 30_000,
    "P a y p a l " * 15_000,
    "\u0430" * 100_000,
    "$1,000,000 " * 15_000,
    "http://1.2.3.4/" + "a1" * 60_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_is_slow(text: str) -> None:
    mail = Mail(letter("x <x@example.net>", text[:2000].replace("\n", " "), text).encode())
    assert mail.text
    begun = time.process_time()
    BASE.book.match(mail)
    assert time.process_time() - begun < 5.0  # a hang: milliseconds are usual


def test_a_wrong_base_is_refused_with_its_place() -> None:
    files = read_base(SHIPPED).files
    for line in ("kindli = 1\n[pairs]\n", '[pairs]\n"kindli+answer" = 1\n', '[pairs]\n"answer+kindli" = 1\n'):
        wrong = tuple((name, text.replace("[pairs]\n", line)) for name, text in files)
        with pytest.raises(ConfigError, match="no such rule; did you mean 'kindly'"):
            compile_base(BaseFiles("x", wrong))
    table = 'name = "xx"\nabout = ""\nsource = ""\ndate = "2026-01-01"\nlicence = ""\npackage = "os"\n'
    with pytest.raises(ConfigError, match="no such package"):
        compile_base(BaseFiles("x", (*files, ("tables/x.toml", table))))


def test_the_checksum_is_that_of_names_and_contents() -> None:
    files = read_base(SHIPPED)
    (name, text), *rest = files.files
    assert BaseFiles("elsewhere", files.files).checksum == files.checksum
    assert BaseFiles("x", ((name, text + " "), *rest)).checksum != files.checksum
    assert BaseFiles("x", ((name + "x", text), *rest)).checksum != files.checksum
