"""The sender's page: what is held, why, and the one thing to do. Opening it changes nothing: programs open links too.

Proof of work runs by itself where there is JavaScript; without it the same button leads to a code to be typed, as image
and as sound. Policy says which is asked for first, or alone (`challenge_proof`). Who has done the work is offered the
code on the receipt as well: it whitelists.
"""

from __future__ import annotations

import logging
from typing import Any

from starlette.responses import JSONResponse, Response

from tamis.base.tokens import Purpose
from tamis.challenge.answers import terms_of
from tamis.challenge.captcha import CaptchaAnswer, CaptchaLimitError, CaptchaPausedError
from tamis.challenge.challenge_records import AnswerProof, PageState, SenderPage, SolveResult
from tamis.challenge.code_media import LENGTH, SIZE
from tamis.desk.release import delivery_by_answer
from tamis.judging.reasons import plain_reason
from tamis.language.translation import marked
from tamis.web.rate_limits import TooManyError
from tamis.web.visit import NOT_VALID, PageRefusedError, Visit

log = logging.getLogger(__name__)

_STALE = marked("That code was too old. Here is a new one.")
_WRONG = marked("That was not the code. Here is a new one.")
_AGAIN = marked("That was not the code. Please try again.")
_PAUSED = marked("Too many wrong codes. Please try again in a quarter of an hour.")
_NO_WORK = marked(
    "Your browser could not do the check. Your message stays here, and its recipient can still have it delivered."
)


def _opened(visit: Visit) -> tuple[str, SenderPage]:
    """The challenge of the address. Whatever is wrong with the link, the answer is the same."""
    (challenge,) = visit.token(Purpose.CHALLENGE)
    found = visit.store.answers.open(challenge, terms_of(visit.site))
    if found is None or found.state is PageState.GONE:
        raise PageRefusedError(NOT_VALID)
    mailbox = found.recipients[0] if found.recipients else ""
    visit.__dict__["reader"] = visit.reader_of(mailbox, found.language)
    visit.__dict__["brand"] = found.domain
    return challenge, found


def _shown(visit: Visit, found: SenderPage, **values: Any) -> Response:
    """The page, with the form for a code where `code` is one."""
    status = int(values.pop("status", 200))
    known: dict[str, Any] = {
        "code": "",
        "wrong": "",
        "receipt": None,
        "digits": LENGTH,
        "size": SIZE,
        "left": found.attempts_left,
    }
    why = plain_reason(found.decided_by, visit.site.filters)
    return visit.render("sender.html", status=status, page=found, why=why, **known | values)


def show(visit: Visit) -> Response:
    """Who holds what, for whom, why, until when, and what will happen."""
    _, found = _opened(visit)
    return _shown(visit, found)


def answer(visit: Visit) -> Response:
    """Take an answer: a proof of work, a code, or neither, which asks for a code."""
    challenge, found = _opened(visit)
    if found.state is not PageState.OPEN and not found.keeps:
        return _shown(visit, found)
    captcha = visit.house.captcha
    work, code = visit.field("altcha"), visit.field("code")
    if work and AnswerProof.WORK in found.ways:
        given, proof = visit.wait(captcha.check_work, challenge, visit.network, work), AnswerProof.WORK
    elif code and AnswerProof.CODE in found.ways:
        typed = visit.field("typed")
        given, proof = visit.wait(captcha.check_code, challenge, visit.network, code, typed), AnswerProof.CODE
    else:
        return _with_code(visit, challenge, found)
    match given:
        case CaptchaAnswer.LOCKED:
            raise TooManyError("wrong answers")
        case CaptchaAnswer.PAUSED:
            return _shown(visit, found, wrong=_PAUSED, status=429)
        case CaptchaAnswer.RIGHT:
            return _solved(visit, challenge, found, proof)
        case CaptchaAnswer.STALE:
            return _with_code(visit, challenge, found, wrong=_STALE)
    left = visit.store.answers.fail(challenge)
    if not left:
        return visit.redirect(visit.request.url.path)
    if given is CaptchaAnswer.AGAIN:
        return _shown(visit, found, code=code, wrong=_AGAIN, left=left, status=422)
    return _with_code(visit, challenge, found, wrong=_WRONG, left=left)


def _with_code(
    visit: Visit, challenge: str, found: SenderPage, wrong: str = "", left: int | None = None
) -> Response:
    if AnswerProof.CODE not in found.ways:
        return _shown(visit, found, wrong=_NO_WORK, status=422)
    try:
        code = visit.wait(visit.house.captcha.code, challenge, visit.network)
    except CaptchaPausedError:
        return _shown(visit, found, wrong=_PAUSED, status=429)
    except CaptchaLimitError as error:
        raise TooManyError(str(error)) from None
    left = found.attempts_left if left is None else left
    return _shown(visit, found, code=code, wrong=wrong, left=left, status=422 if wrong else 200)


def _solved(visit: Visit, challenge: str, found: SenderPage, proof: AnswerProof) -> Response:
    receipt = visit.store.answers.solve(
        challenge, terms_of(visit.site), delivery_by_answer(visit.site.settings, proof), proof
    )
    log.info("challenge %s: %s", challenge, receipt.result)
    if receipt.result is SolveResult.GONE:
        raise PageRefusedError(NOT_VALID)
    return _shown(visit, found, receipt=receipt)


def work(visit: Visit) -> Response:
    """A proof of work, for the script."""
    challenge, found = _opened(visit)
    if found.state is not PageState.OPEN or AnswerProof.WORK not in found.ways:
        raise PageRefusedError(NOT_VALID)
    try:
        return JSONResponse(visit.wait(visit.house.captcha.work, challenge, visit.network))
    except CaptchaLimitError as error:
        raise TooManyError(str(error)) from None


def image(visit: Visit) -> Response:
    """The code as an image."""
    (challenge,) = visit.token(Purpose.CHALLENGE)
    return _media(visit.wait(visit.house.captcha.image, visit.query("code"), challenge), "image/png")


def audio(visit: Visit) -> Response:
    """The code as sound."""
    (challenge,) = visit.token(Purpose.CHALLENGE)
    spoken = visit.wait(visit.house.captcha.audio, visit.query("code"), challenge, visit.reader.language)
    return _media(spoken, "audio/wav")


def _media(octets: bytes | None, kind: str) -> Response:
    if octets is None:
        raise PageRefusedError(NOT_VALID)
    return Response(octets, media_type=kind)
