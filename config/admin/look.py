"""How the admin looks: name, marks, pages of our own, and the colours of pine on stone."""

from typing import Any

from django.templatetags.static import static

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Cairn",
    "SITE_HEADER": "Cairn",
    "SITE_SUBHEADER": "loyalty and marketing",
    "SITE_URL": None,
    "SITE_ICON": lambda request: static("cairn/mark.svg"),
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("cairn/mark.svg"),
        },
    ],
    "STYLES": [lambda request: static("cairn/admin.css")],
    "SCRIPTS": [lambda request: static("cairn/focus.js")],
    "LOGIN": {
        "image": lambda request: static("cairn/sign-in.svg"),
        "form": "config.admin.signing_in.SignInForm",
    },
    "DASHBOARD_CALLBACK": "config.admin.dashboard.callback",
    "SIDEBAR": {"show_search": True, "navigation": "config.admin.sidebar.navigation"},
    "COMMAND": {"search_callback": "members.admin.today.find_members"},
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .014 170)",
            "100": "oklch(94% .03 170)",
            "200": "oklch(88% .055 170)",
            "300": "oklch(79% .08 170)",
            "400": "oklch(68% .095 170)",
            "500": "oklch(57% .09 170)",
            "600": "oklch(43% .075 170)",
            "700": "oklch(37% .065 170)",
            "800": "oklch(31% .053 170)",
            "900": "oklch(26% .042 170)",
            "950": "oklch(19% .03 170)",
        },
        "base": {
            "50": "oklch(98.6% .002 106)",
            "100": "oklch(96.9% .003 106)",
            "200": "oklch(92.4% .004 95)",
            "300": "oklch(86.9% .006 85)",
            "400": "oklch(71% .011 70)",
            "500": "oklch(55.3% .014 65)",
            "600": "oklch(44.4% .012 75)",
            "700": "oklch(37.4% .011 70)",
            "800": "oklch(26.8% .008 60)",
            "900": "oklch(21.6% .007 58)",
            "950": "oklch(14.7% .005 55)",
        },
    },
}
