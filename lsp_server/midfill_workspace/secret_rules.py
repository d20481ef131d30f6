"""The shapes of keys and tokens that services hand out: one row each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Shape:
    """How a kind of secret looks. One of the `hints` stands in every text that holds one; they are looked for first.

    It never begins inside of a word. The group `secret` is what must go; the rest says what it was. All repetition is bounded, so that a long line of
    hostile text costs a multiple of its length and no more.
    """

    hints: tuple[str, ...]
    pattern: str

    @property
    def expression(self) -> re.Pattern[str]:
        return _compiled(self.pattern)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """At its first use, which for most of them never comes: all of them would cost the server's start 10 ms."""
    return re.compile(pattern, re.ASCII)


def _shape(hints: str, pattern: str) -> Shape:
    return Shape(tuple(hints.split()), pattern)


SHAPES: Mapping[str, Shape] = {
    "aws_access_key": _shape("AKIA ASIA ABIA ACCA A3T", r"(?:A3T[A-Z0-9]|A[KS]IA|ABIA|ACCA)(?P<secret>[A-Z0-9]{16})\b"),
    "aws_secret_key": _shape(
        "aws AWS Aws",
        r"(?:aws|AWS|Aws)[\w\- .]{0,30}[\"']?[ \t]*[:=]{1,2}>?[ \t]*[\"']?(?P<secret>(?=[A-Za-z/+]{0,39}\d)[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    ),
    "google_api_key": _shape("AIza", r"AIza(?P<secret>[\w\-]{30,45})"),
    "google_oauth": _shape("ya29. GOCSPX-", r"(?:ya29\.|GOCSPX-)(?P<secret>[\w\-.]{20,400})"),
    "azure_key": _shape(
        "AccountKey= SharedAccessKey=", r"(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{40,100}={0,2})"
    ),
    "azure_client_secret": _shape("Q~", r"(?P<secret>[\w.~\-]{3}\dQ~[\w.~\-]{31,34})(?![\w~])"),
    "azure_signature": _shape("sig=", r"sig=(?P<secret>[A-Za-z0-9%+/]{30,120}={0,2})"),
    "github_token": _shape(
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"(?:gh[pousr]_|github_pat_)(?P<secret>[A-Za-z0-9_]{22,255})"
    ),
    "gitlab_token": _shape(
        "glpat- glptt- gldt- glrt- glcbt- glft- glsoat- glimt- glagent- gloas- glffct-",
        r"gl(?:pat|ptt|dt|rt|cbt|ft|soat|imt|agent|oas|ffct)-(?P<secret>[\w\-.]{20,120})",
    ),
    "slack_token": _shape("xox xapp-", r"(?:xox[a-z](?:\.xox[a-z])?|xapp)-(?P<secret>[A-Za-z0-9\-]{10,250})"),
    "slack_webhook": _shape(
        "hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[\w/\-]{20,120})"
    ),
    "discord_webhook": _shape(
        "/api/webhooks/", r"discord(?:app)?\.com/api/webhooks/\d{5,25}/(?P<secret>[\w\-]{30,100})"
    ),
    "stripe_key": _shape("_live_ _test_", r"(?:sk|rk|pk)_(?:live|test)_(?P<secret>[A-Za-z0-9]{10,250})"),
    "webhook_secret": _shape("whsec_", r"whsec_(?P<secret>[A-Za-z0-9+/]{24,100}={0,2})"),
    "anthropic_key": _shape("sk-ant-", r"sk-ant-(?P<secret>[\w\-]{20,250})"),
    "openai_key": _shape(
        "sk-",
        r"sk-(?:(?:proj|svcacct|admin|or-v1)-|(?=[A-Za-z0-9]{20}))(?P<secret>(?=[\w\-]{0,60}\d)[\w\-]{20,300})",
    ),
    "npm_token": _shape("npm_", r"npm_(?P<secret>[A-Za-z0-9]{30,60})"),
    "pypi_token": _shape("pypi-", r"pypi-(?P<secret>[\w\-]{40,400})"),
    "jwt": _shape(
        "eyJ", r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))(?P<secret>eyJ[\w\-]{8,2000}\.[\w\-]{8,4000}(?:\.[\w\-]{0,2000})?)"
    ),
    "huggingface_token": _shape("hf_", r"hf_(?P<secret>[A-Za-z0-9]{30,60})"),
    "sendgrid_key": _shape("SG.", r"SG\.(?P<secret>[\w\-]{16,32}\.[\w\-]{30,64})"),
    "twilio_key": _shape("SK", r"SK(?P<secret>[0-9a-f]{32})\b"),
    "telegram_token": _shape(":AA", r"\d{6,12}:(?P<secret>AA[\w\-]{30,40})"),
    "service_token": _shape(
        "dop_v1_ doo_v1_ shpat_ shpss_ shpca_ dckr_pat_ lin_api_ gsk_ xai- pplx- nfp_ PMAK- rubygems_ pscale_ sbp_ ntn_ figd_ "
        "NRAK- dapi ATATT3 hvs. hvb. dp.pt. r8_ tskey- glsa_ EAA sntrys_ oy2",
        r"(?:do[op]_v1_|shp(?:at|ss|ca)_|dckr_pat_|lin_api_|gsk_|xai-|pplx-|nfp_|PMAK-|rubygems_|pscale_\w{2,6}_|sbp_|ntn_|figd_"
        r"|NRAK-|dapi|ATATT3|hv[sb]\.|dp\.pt\.|r8_|tskey-\w{3,10}-|glsa_|EAA|sntrys_|oy2)(?P<secret>(?=[\w\-=]{0,40}\d)[\w\-=]{24,400})",
    ),
    "age_key": _shape("AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1(?P<secret>[A-Z0-9]{50,70})"),
    "bearer": _shape(
        "earer EARER",
        r"(?:[Bb]earer|BEARER)[ \t]{1,4}(?P<secret>(?=[A-Za-z._~+/\-]{0,60}[0-9])[\w.~+/\-]{16,2000}={0,2})",
    ),
    "basic_auth": _shape(
        "asic ",
        r"[Bb]asic[ \t]{1,4}(?P<secret>(?=[A-Za-z]{0,40}[0-9+/=])(?=[^\n]{0,40}[A-Z])[A-Za-z0-9+/]{12,400}={0,2})(?![\w])",
    ),
    "curl_user": _shape(
        "curl ", r"curl [^\n]{0,200}?(?:-u|--user)[ =][\"']?[\w.@\-]{1,60}:(?P<secret>[^\s\"'$]{4,100})"
    ),
}
