"""The way around, by role: a link is there for whoever may follow it.

A page that is not registered (yet) is left out, so floors may come and go.
"""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from config.admin.rows import staff_of


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    page: str
    icon: str
    permission: str = ""
    query: str = ""


GROUPS: tuple[tuple[str, bool, tuple[Link, ...]], ...] = (
    ("", False, (Link("Today", "index", "today"),)),
    (
        "Members",
        False,
        (
            Link("Enrol", "members_member_add", "person_add", "members.add_member"),
            Link("Members", "members_member_changelist", "group", "members.view_member"),
            Link("Consents", "members_consent_changelist", "verified_user", "members.view_consent"),
            Link(
                "Bounced addresses",
                "members_mailbox_changelist",
                "unsubscribe",
                "members.view_mailbox",
            ),
            Link("Devices", "members_device_changelist", "smartphone", "members.view_device"),
            Link(
                "Interactions",
                "members_interaction_changelist",
                "timeline",
                "members.view_interaction",
            ),
            Link("Interests", "members_interest_changelist", "hiking", "members.view_interest"),
            Link(
                "Lead scores",
                "members_score_changelist",
                "local_fire_department",
                "members.view_score",
            ),
            Link("Surveys", "members_survey_changelist", "quiz", "members.view_survey"),
            Link(
                "Calls and visits",
                "campaigns_stafftask_changelist",
                "call",
                "campaigns.view_stafftask",
            ),
        ),
    ),
    (
        "Loyalty",
        False,
        (
            Link("Purchases", "loyalty_purchase_changelist", "receipt", "loyalty.view_purchase"),
            Link(
                "Till conflicts",
                "loyalty_tillevent_changelist",
                "sync_problem",
                "loyalty.view_tillevent",
            ),
            Link(
                "Check-ins to review",
                "loyalty_checkin_changelist",
                "where_to_vote",
                "loyalty.change_checkin",
                "?status__exact=held",
            ),
            Link("Check-ins", "loyalty_checkin_changelist", "pin_drop", "loyalty.view_checkin"),
            Link("Earn rules", "loyalty_earnrule_changelist", "rule", "loyalty.view_earnrule"),
            Link("Rewards", "loyalty_reward_changelist", "redeem", "loyalty.view_reward"),
            Link(
                "Redemptions",
                "loyalty_redemption_changelist",
                "featured_seasonal_and_gifts",
                "loyalty.view_redemption",
            ),
            Link(
                "Waiting lists", "loyalty_waiting_changelist", "event_seat", "loyalty.view_waiting"
            ),
            Link("Grants", "loyalty_grant_changelist", "volunteer_activism", "loyalty.view_grant"),
            Link("Merges", "loyalty_merge_changelist", "merge", "loyalty.view_merge"),
            Link(
                "Voucher days",
                "loyalty_issuancewindow_changelist",
                "event_available",
                "loyalty.view_issuancewindow",
            ),
            Link(
                "Vouchers",
                "loyalty_voucher_changelist",
                "confirmation_number",
                "loyalty.view_voucher",
            ),
            Link("Products", "loyalty_product_changelist", "backpack", "loyalty.view_product"),
            Link(
                "Stock", "loyalty_storestock_changelist", "inventory_2", "loyalty.view_storestock"
            ),
            Link("Places", "loyalty_place_changelist", "landscape", "loyalty.view_place"),
            Link("Outings", "loyalty_outing_changelist", "hiking", "loyalty.view_outing"),
            Link(
                "Who comes",
                "loyalty_registration_changelist",
                "how_to_reg",
                "loyalty.view_registration",
            ),
            Link("Reviews and photos", "loyalty_post_changelist", "reviews", "loyalty.view_post"),
            Link("Referrals", "loyalty_referral_changelist", "handshake", "loyalty.view_referral"),
            Link("Challenges", "loyalty_challenge_changelist", "flag", "loyalty.view_challenge"),
            Link(
                "Collections",
                "loyalty_collection_changelist",
                "collections_bookmark",
                "loyalty.view_collection",
            ),
            Link("Tiers", "loyalty_tier_changelist", "stairs", "loyalty.view_tier"),
            Link(
                "Points policy",
                "loyalty_pointspolicy_changelist",
                "policy",
                "loyalty.change_pointspolicy",
            ),
            Link("Points ledger", "loyalty_entry_changelist", "menu_book", "loyalty.view_lot"),
            Link("Owed", "loyalty_account_owed", "account_balance", "loyalty.audit_account"),
        ),
    ),
    (
        "Campaigns",
        False,
        (
            Link(
                "Campaigns", "campaigns_campaign_changelist", "campaign", "campaigns.view_campaign"
            ),
            Link(
                "Gallery",
                "campaigns_campaign_gallery",
                "auto_awesome_mosaic",
                "campaigns.add_campaign",
            ),
            Link("Audiences", "campaigns_audience_changelist", "groups", "campaigns.view_audience"),
            Link("Occasions", "campaigns_occasion_changelist", "event", "campaigns.view_occasion"),
            Link(
                "Deliveries",
                "campaigns_delivery_changelist",
                "outgoing_mail",
                "campaigns.view_delivery",
            ),
            Link("Desks", "campaigns_desk_changelist", "headset_mic", "campaigns.view_desk"),
            Link("Topics", "members_topic_changelist", "label", "members.view_topic"),
            Link(
                "Contact caps",
                "campaigns_contactcap_changelist",
                "speed",
                "campaigns.view_contactcap",
            ),
            Link(
                "Quiet hours",
                "campaigns_quiethours_changelist",
                "bedtime",
                "campaigns.view_quiethours",
            ),
            Link(
                "Channels",
                "campaigns_channelstate_changelist",
                "network_check",
                "campaigns.view_channelstate",
            ),
        ),
    ),
    (
        "Settings",
        True,
        (
            Link("Programme", "members_programme_changelist", "tune", "members.view_programme"),
            Link("Stores", "members_store_changelist", "storefront", "members.change_store"),
            Link(
                "Staff",
                "members_user_changelist",
                "badge",
                "members.view_user",
                "?is_staff__exact=1",
            ),
            Link("Roles", "auth_group_changelist", "admin_panel_settings", "auth.view_group"),
            Link("API keys", "members_apikey_changelist", "key", "members.view_apikey"),
            Link("Webhooks", "members_webhook_changelist", "webhook", "members.view_webhook"),
            Link(
                "Announcements",
                "members_announcement_changelist",
                "outbox",
                "members.view_announcement",
            ),
            Link(
                "What teaches interest",
                "members_interactionkind_changelist",
                "school",
                "members.view_interactionkind",
            ),
            Link(
                "Clock",
                "django_celery_beat_periodictask_changelist",
                "schedule",
                "django_celery_beat.view_periodictask",
            ),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar in Unfold's form."""
    groups = []
    for title, is_folded, links in GROUPS:
        items = [item for link in links if (item := _item(link, request)) is not None]
        if items:
            groups.append(
                {
                    "title": title,
                    "collapsible": is_folded,
                    "separator": bool(title),
                    "items": items,
                }
            )
    return groups


def _item(link: Link, request: HttpRequest) -> dict[str, Any] | None:
    if link.permission and not staff_of(request).has_perm(link.permission):
        return None
    try:
        address = reverse(f"admin:{link.page}")
    except NoReverseMatch:
        return None
    return {
        "title": link.title,
        "icon": link.icon,
        "link": address + link.query,
        "active": _is_here(link, address, request),
    }


def _is_here(link: Link, address: str, request: HttpRequest) -> bool:
    """Exactly one link is lit: Unfold's own guess lights every address this one begins with."""
    if request.path == address:
        asked = request.GET.get("status__exact") == "held" and "checkin" in link.page
        return asked == (link.query == "?status__exact=held")
    rest = request.path.removeprefix(address)
    return link.page.endswith("_changelist") and rest[:1].isdigit() and not link.query
