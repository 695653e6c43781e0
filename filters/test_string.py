"""S31i: a line that asks to be treated as spam, for trying an installation."""

from __future__ import annotations

from dataclasses import replace

from tamis.contract.filter import Effect, Filter, FilterOptions, Message, NoChallenge, Opinion, Scopes
from tamis.contract.finding import Finding
from tamis.contract.sentences import TEST_ASKS
from tamis.language.translation import marked
from tamis.message.mail.programs import is_automatic, is_of_a_list


class TestString(Filter):
    """Lets anybody try an installation from end to end: a message with one of these strings as a line of its text goes
    where the string says, whatever white lists say of its sender.

    - as the policy treats spam (GTUBE): `XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X`
    - tagged subject: `ZJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X`
    - Junk: `YJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X`
    - quarantine: `QJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X`
    - deferral: `DJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X`

    It never fares better than it would without the string: of the two outcomes the worse counts (inbox, tag, junk,
    quarantine, defer, in this order), and spam that would be relayed outside is held. The string must be alone on its
    line, as a reader sees it: in a sentence, behind ">", in the header, in a file or in an enclosed message it does
    nothing. What programs and mailing lists send is not deferred by it: others could so have their mail bounced.

    A test message teaches nothing: no filter and no list remembers it, a report of it is not learned, its sender is
    neither asked nor believed more. What is judged before the text is known (S2b, S3) counts it like any message.
    `tamis try RECIPIENT` sends one and tells what came of it. Switch the filter off where that is not wanted.
    """

    __test__ = False  # no test of pytest's, whatever its name

    name = "test_string"
    spec_id = "S31i"
    summary = "a line that asks to be treated as spam, for tests"
    plain_reason = marked("it is a test message")
    forbids_challenge = NoChallenge.TEST

    def examine(self, message: Message) -> Finding:
        """What the message asks for."""
        asked, headers = message.asked, message.mail.headers
        if not asked:
            return self.clear("no test string")
        sender = message.envelope.sender
        if asked == Effect.DEFER and (not sender or is_automatic(headers, sender) or is_of_a_list(headers)):
            return self.clear("a list or a program sent the test string")
        return self.hit(TEST_ASKS.english, asked=asked)

    def judge(self, finding: Finding, options: FilterOptions, scopes: Scopes) -> Opinion:
        """With effect "spam" the opinion says what is asked for; with others the string is a sign like any other."""
        opinion = super().judge(finding, options, scopes)
        if opinion.effect is not Effect.SPAM:
            return opinion
        return replace(opinion, asked=finding.facts["asked"])
