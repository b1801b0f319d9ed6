"""What every operation answers to whom: one row each, or more where its answer depends on what it is asked about.

A row reads: this operation, asked about that thing, answers a role held everywhere so, held in the thing's district or
settlement so, and held elsewhere so; roles that are not named are refused (403). `GONE` is answered exactly like a
reference that names nothing, `HIDDEN` is an answer in which the thing, or what it `shows`, does not occur. Where it is
held in a settlement the answer is the district's unless it is named. What a body needs is in `BODIES`, with names of
things in braces.
"""

from dataclasses import dataclass
from typing import Any

from app.database import utc_now

GONE, HIDDEN = "gone", "hidden"
TODAY = str(utc_now().date())
ANYBODY, NOBODY_SIGNED_IN = "anybody who is signed in", "anybody, signed in or not"
Answer = int | str


@dataclass(frozen=True)
class Row:
    """What one operation answers, asked about the thing `on`."""

    operation: str
    on: str
    everywhere: Answer
    district: Answer
    elsewhere: Answer
    roles: str
    settlement: Answer | None = None
    shows: str | None = None

    @property
    def name(self) -> str:
        """Name the row."""
        return f"{self.operation}({self.on})"


KNOW_STOCK = "caseworker verifier planner approver village_administrator auditor"
SEE_FAMILIES = "caseworker verifier planner approver village_administrator"
PLAN = "planner approver auditor"
ROWS = [
    #   operation                   on               everywhere district elsewhere roles
    Row("livez", "-", 200, 200, 200, NOBODY_SIGNED_IN),
    Row("readyz", "-", 200, 200, 200, NOBODY_SIGNED_IN),
    Row("metrics", "-", 200, 200, 200, NOBODY_SIGNED_IN),
    Row("sign_in", "-", 201, 201, 201, NOBODY_SIGNED_IN),
    Row("sign_out", "-", 204, 204, 204, ANYBODY),
    Row("read_me", "-", 200, 200, 200, ANYBODY),
    # ANYBODY here is somebody without a password, session or second factor
    Row("begin_session", "-", 201, 201, 201, NOBODY_SIGNED_IN),
    # where no identity provider is set there is nothing to see; who comes with a token has no session to step up
    Row("read_identity_provider", "-", 404, 404, 404, NOBODY_SIGNED_IN),
    Row("begin_at_identity_provider", "-", 404, 404, 404, NOBODY_SIGNED_IN),
    Row("return_from_identity_provider", "-", 404, 404, 404, NOBODY_SIGNED_IN),
    Row("step_up_session", "-", 409, 409, 409, ANYBODY),
    Row("read_session", "-", 404, 404, 404, ANYBODY),
    Row("end_session", "-", 404, 404, 404, ANYBODY),
    Row("list_sessions", "-", 200, 200, 200, ANYBODY),
    Row("end_one_session", "-", 404, 404, 404, ANYBODY),
    Row("end_other_sessions", "-", 204, 204, 204, ANYBODY),
    Row("begin_second_factor", "-", 422, 422, 422, ANYBODY),
    Row("confirm_second_factor", "-", 409, 409, 409, ANYBODY),
    Row("renew_recovery_codes", "-", 422, 422, 422, ANYBODY),
    Row("remove_second_factor", "-", 422, 422, 422, ANYBODY),
    Row("list_api_tokens", "-", 200, 200, 200, ANYBODY),
    Row("issue_api_token", "-", 403, 403, 403, ANYBODY),
    Row("revoke_api_token", "-", 404, 404, 404, ANYBODY),
    Row("change_password", "-", 422, 422, 422, ANYBODY),  # taken, and then the present one is wrong
    # users: nowhere in particular
    Row("list_users", "-", 200, 403, 403, "administrator"),
    Row("add_user", "-", 201, 403, 403, "administrator"),
    Row("set_roles", "user", 200, 403, 403, "administrator"),
    Row("reset_second_factor", "user", 409, 403, 403, "administrator"),
    Row("end_sessions_of_user", "user", 204, 403, 403, "administrator"),
    Row("reset_password", "user", 200, 403, 403, "administrator"),
    Row("disable_user", "user", 200, 403, 403, "administrator"),
    Row("enable_user", "disabled_user", 200, 403, 403, "administrator"),
    # the stock: settlements, origins, jobs and land are no secret, houses are
    Row("list_origins", "origin", 200, 200, 200, KNOW_STOCK),
    Row("add_origin", "-", 201, 403, 403, "planner"),
    Row("list_settlements", "settlement", 200, 200, 200, KNOW_STOCK),
    Row("add_settlement", "settlement", 201, 201, 403, "planner", settlement=403),
    Row("read_settlement", "settlement", 200, 200, 200, KNOW_STOCK),
    Row("change_settlement", "settlement", 200, 200, GONE, "planner"),
    Row("set_milestone", "settlement", 200, 200, GONE, "planner"),
    Row("list_jobs", "settlement", 200, 200, 200, KNOW_STOCK),
    Row("set_jobs", "settlement", 200, 200, GONE, "planner"),
    Row("list_houses", "house", 200, 200, HIDDEN, KNOW_STOCK),
    Row("add_house", "settlement", 201, 201, GONE, "planner village_administrator"),
    Row("read_house", "house", 200, 200, GONE, KNOW_STOCK),
    Row("change_house", "house", 200, 200, GONE, "planner village_administrator"),
    Row("list_land_release_areas", "area", 200, 200, 200, KNOW_STOCK),
    Row("add_land_release_area", "settlement", 201, 201, GONE, "planner"),
    Row("read_land_release_area", "area", 200, 200, 200, KNOW_STOCK),
    Row("change_land_release_area", "area", 200, 200, GONE, "planner"),
    # the register
    Row("list_households", "household", 200, 200, HIDDEN, SEE_FAMILIES),
    Row("register_household", "origin", 201, 201, GONE, "caseworker"),
    Row("read_household", "household", 200, 200, GONE, SEE_FAMILIES),
    Row("change_household", "household", 200, 200, GONE, "caseworker"),
    Row("read_assessment", "household", 200, 200, GONE, SEE_FAMILIES),
    Row("add_person", "household", 201, 201, GONE, "caseworker"),
    Row("change_person", "person", 200, 200, GONE, "caseworker"),
    Row("remove_person", "person", 204, 204, GONE, "caseworker"),
    Row("list_kin_groups", "kin_group", 200, 200, HIDDEN, SEE_FAMILIES),
    Row("add_kin_group", "-", 201, 201, 201, "caseworker"),
    Row("list_applications", "application", 200, 200, HIDDEN, SEE_FAMILIES),
    Row("begin_application", "newcomer", 201, 201, GONE, "caseworker"),
    Row("read_application", "application", 200, 200, GONE, SEE_FAMILIES),
    Row("change_application", "application", 200, 200, GONE, "caseworker"),
    Row("submit_application", "draft", 200, 200, GONE, "caseworker"),
    Row("verify_application", "submitted", 200, 200, GONE, "verifier"),
    Row("verify_applications", "submitted", 200, 200, HIDDEN, "verifier"),
    Row("return_application", "submitted", 200, 200, GONE, "verifier"),
    Row("list_corrections", "application", 200, 200, GONE, "caseworker verifier"),
    Row("read_eligibility", "verified", 200, 200, GONE, SEE_FAMILIES),
    Row("decide_eligibility", "verified", 409, 409, GONE, "verifier"),  # it is signed as it was read
    Row("decide_eligibilities", "verified", 200, 200, HIDDEN, "verifier"),
    Row("take_submission", "origin", 201, 201, GONE, "caseworker"),
    # documents: who takes them in, and who checks them
    Row("list_documents", "application", 200, 200, GONE, "caseworker verifier"),
    Row("add_document", "application", 201, 201, GONE, "caseworker"),
    Row("read_document", "document", 200, 200, GONE, "caseworker verifier"),
    Row("remove_document", "document", 204, 204, GONE, "caseworker"),
    Row("withdraw_application", "application", 200, 200, GONE, "caseworker"),
    Row("read_explanation", "application", 200, 200, GONE, "caseworker verifier planner approver"),
    Row("ask_smallest_change", "application", 409, 409, GONE, "caseworker verifier planner approver"),
    Row("read_letter", "application", 409, 409, GONE, "caseworker verifier planner approver"),
    Row("read_offer_letter", "offered", 200, 200, GONE, "caseworker planner approver village_administrator"),
    Row("check_letter", "application", 200, 200, GONE, "caseworker verifier planner approver"),
    Row("list_letters", "drawn", 200, 200, GONE, "caseworker verifier planner approver"),
    Row("ask_smallest_changes", "drawn", 202, 202, GONE, "caseworker verifier planner approver"),
    Row("ask_smallest_changes", "proposed", 409, 409, 409, "planner approver"),
    Row("ask_smallest_changes", "proposed", GONE, GONE, GONE, "caseworker verifier"),
    Row("list_letters", "proposed", 409, 409, 409, "planner approver"),  # it names one of theirs
    Row("list_letters", "proposed", GONE, GONE, GONE, "caseworker verifier"),
    # who may be registered twice
    Row("list_duplicates", "candidate", 200, 200, HIDDEN, "caseworker verifier planner"),
    Row("read_duplicate", "candidate", 200, 200, GONE, "caseworker verifier planner"),
    Row("decide_duplicate", "candidate", 200, 200, GONE, "caseworker verifier"),
    Row("undo_merge", "merge", 200, 200, GONE, "caseworker verifier"),
    # one household beyond the scope; what is opened is there for who opened it
    Row("open_household", "household", 201, 201, 201, "caseworker verifier"),
    Row("read_opened_household", "grant", GONE, GONE, GONE, "caseworker verifier"),
    Row("list_break_glass_grants", "grant", 200, 403, 403, "auditor"),
    Row("review_break_glass_grant", "grant", 200, 403, 403, "auditor"),
    # the audit trail: one for all places
    Row("list_audit_entries", "-", 200, 403, 403, "auditor"),
    Row("read_audit_head", "-", 404, 403, 403, "auditor"),
    # for good
    Row("read_subject_access", "household", 200, 200, GONE, "caseworker planner"),
    Row("erase_household", "household", 200, 200, GONE, "planner"),
    Row("preview_retention", "-", 200, 403, 403, "planner"),
    Row("apply_retention", "-", 200, 403, 403, "planner"),
    # files: the whole register or nothing
    Row("import_files", "-", 200, 403, 403, "planner"),
    Row("export_files", "-", 200, 403, 403, "planner"),
    # the policy is the whole programme's
    Row("list_policies", "policy", 200, 200, 200, KNOW_STOCK),
    Row("read_policy_in_force", "-", 200, 200, 200, KNOW_STOCK),
    Row("read_policy", "policy", 200, 200, 200, KNOW_STOCK),
    Row("draft_policy", "-", 201, 403, 403, "planner"),
    Row("preview_policy", "policy", 202, 403, 403, "planner approver"),
    Row("list_previews", "preview", 200, 200, 200, KNOW_STOCK),
    Row("read_preview", "preview", 200, 200, 200, KNOW_STOCK),
    Row("list_preview_households", "preview", 200, 403, 403, "planner approver"),
    Row("cancel_preview", "preview", 200, 403, 403, "planner approver"),
    Row("put_policy_in_force", "policy", 200, 403, 403, "approver"),
    # runs: where every settlement of theirs lies
    Row("list_runs", "proposed", 200, 200, HIDDEN, PLAN),
    Row("request_run", "settlement", 202, 202, GONE, "planner"),
    Row("read_run", "proposed", 200, 200, GONE, PLAN),
    Row("follow_run", "proposed", 200, 200, GONE, PLAN),
    Row("cancel_run", "queued", 200, 200, GONE, "planner"),
    Row("enter_seed", "awaiting", 200, 200, GONE, "approver"),
    Row("list_draws", "proposed", 200, 200, 200, NOBODY_SIGNED_IN),
    Row("read_draw", "proposed", 200, 200, 200, NOBODY_SIGNED_IN),
    Row("approve_run", "proposed", 200, 200, GONE, "approver"),
    Row("reject_run", "proposed", 200, 200, GONE, "approver"),
    Row("list_placements", "placement", 200, 200, HIDDEN, "planner approver"),
    Row("request_placement", "household", 201, 201, GONE, "planner"),
    Row("confirm_placement", "placement", 200, 200, GONE, "approver"),
    Row("lift_placement", "placement", 200, 200, GONE, "planner approver"),
    Row("list_proposals", "drawn", 200, 200, GONE, "caseworker verifier planner approver"),
    Row("list_proposals", "proposed", 200, 200, HIDDEN, "planner approver", shows="housed"),
    Row("list_proposals", "proposed", GONE, GONE, GONE, "caseworker verifier"),
    Row("read_snapshot", "proposed", 200, 200, GONE, PLAN),
    Row("read_problem", "proposed", 200, 200, GONE, PLAN),
    Row("read_solution", "proposed", 200, 200, GONE, PLAN),
    # offers: where the house lies, or where the family comes from
    Row("issue_offers", "drawn", 200, 200, GONE, "planner"),
    Row("list_offers", "offered", 200, 200, HIDDEN, "caseworker planner approver village_administrator"),
    Row("read_offer", "offered", 200, 200, GONE, "caseworker planner approver village_administrator"),
    Row("accept_offer", "offered", 200, 200, GONE, "caseworker"),
    Row("decline_offer", "offered", 200, 200, GONE, "caseworker"),
    Row("ask_for_offer_again", "declined", 200, 200, GONE, "caseworker"),
    Row("withdraw_offer", "offered", 200, 200, GONE, "planner"),
    Row("read_bundle", "proposed", 200, 200, GONE, PLAN),
    # appeals: where the family comes from; the facts of a case are a verifier's, what a run gave an approver's
    Row("lodge_appeal", "decided", 201, 201, GONE, "caseworker"),
    Row("list_appeals", "appeal", 200, 200, HIDDEN, "caseworker verifier planner approver"),
    Row("read_appeal", "appeal", 200, 200, GONE, "caseworker verifier planner approver"),
    Row("read_appeal_letter", "appeal", 200, 200, GONE, "caseworker verifier planner approver"),
    Row("decide_appeal", "appeal", 200, 200, GONE, "verifier"),
    Row("decide_appeal", "appeal", 403, 403, GONE, "approver"),
    Row("decide_appeal", "run_appeal", 200, 200, GONE, "approver"),
    Row("decide_appeal", "run_appeal", 403, 403, GONE, "verifier"),
    Row("withdraw_appeal", "appeal", 200, 200, GONE, "caseworker"),
    # living there
    Row("list_tenancies", "lived_in", 200, 200, HIDDEN, "planner village_administrator"),
    Row("list_reservations", "reserved", 200, 200, HIDDEN, "planner village_administrator"),
    Row("read_occupancy", "settlement", 200, 200, HIDDEN, PLAN + " village_administrator"),
    Row("give_keys", "reserved", 201, 201, GONE, "village_administrator"),
    Row("opt_out_of_title", "title", 200, 200, GONE, "village_administrator"),
    Row("add_title_holder", "title", 200, 200, GONE, "village_administrator"),
    Row("check_occupancy", "lived_in", 201, 201, GONE, "village_administrator"),
    Row("list_occupancy_checks", "lived_in", 200, 200, HIDDEN, "planner village_administrator"),
    Row("reconcile_occupancy", "lived_in", 200, 200, HIDDEN, "planner village_administrator"),
    # swaps: where the families live, or come from
    Row("register_swap_wish", "tenant", 201, 201, GONE, "caseworker"),
    Row("list_swap_wishes", "wish", 200, 200, HIDDEN, "caseworker planner approver village_administrator"),
    Row("withdraw_swap_wish", "wish", 200, 200, GONE, "caseworker"),
    Row("propose_swaps", "-", 200, 200, 200, "planner"),
    Row("list_swap_cycles", "swap", 200, 200, HIDDEN, "caseworker planner approver village_administrator"),
    Row("confirm_swap", "swap", 200, 200, GONE, "caseworker"),
    Row("refuse_swap", "swap", 200, 200, GONE, "caseworker"),
    Row("approve_swap", "agreed", 200, 200, GONE, "approver"),
    Row("move_in", "reserved", 201, 201, GONE, "village_administrator"),
    Row("move_out", "lived_in", 200, 200, GONE, "village_administrator"),
    Row("declare_house_unfit", "house", 200, 200, GONE, "village_administrator"),
    Row("declare_house_fit", "unfit", 200, 200, GONE, "village_administrator"),
]

PERSON = {
    "given_name": "Amina",
    "family_name": "Kovalenko",
    "sex": "female",
    "birth_date": "1980-03-24",
    "relationship": "head",
}
ROLES = [{"role": "verifier"}]
SQUARE = [[0.0, 0.0], [0.0, 0.1], [0.1, 0.1], [0.0, 0.0]]
NEW_SETTLEMENT = {
    "name": "New",
    "district": "{district}",
    "latitude": 0.4,
    "longitude": 0.3,
    "school_places": 1,
    "clinic_patients": 1,
    "status": "planned",
}
NEW_HOUSE = {
    "settlement": "{settlement}",
    "address": "Street 9",
    "rooms": 2,
    "bedrooms": 1,
    "floor_area_m2": 50,
    "step_free": False,
}
NEW_AREA = {
    "settlement": "{settlement}",
    "state": "suspected_hazardous",
    "hectares": 1,
    "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
}
BODIES: dict[str, Any] = {
    "sign_in": {"username": "leyla", "password": "correct horse battery"},
    "begin_session": {"username": "leyla", "password": "correct horse battery"},
    "begin_second_factor": {"password": "wrong"},
    "confirm_second_factor": {"code": "123456"},
    "renew_recovery_codes": {"code": "123456"},
    "step_up_session": {"code": "123456"},
    "remove_second_factor": {"code": "123456"},
    "issue_api_token": {"name": "Report", "permissions": ["exchange.import", "user.read"], "days": 1},
    "change_password": {"password": "wrong", "new_password": "another long password"},
    "add_user": {"username": "new", "display_name": "New", "password": "correct horse battery", "roles": ROLES},
    "set_roles": {"roles": ROLES},
    "add_origin": {"name": "Old", "latitude": 0, "longitude": 0},
    "add_settlement": NEW_SETTLEMENT,
    "change_settlement": {"school_places": 2},
    "set_milestone": {"achieved_on": None},
    "set_jobs": [],
    "add_house": NEW_HOUSE,
    "change_house": {"address": "Street 2"},
    "add_land_release_area": NEW_AREA,
    "change_land_release_area": {"hectares": 2},
    "register_household": {"current_accommodation": "rented", "people": [PERSON], "origin": "{origin}"},
    "change_household": {"phone": None},
    "add_person": PERSON | {"relationship": "child"},
    "change_person": {"given_name": "Else"},
    "add_kin_group": {},
    "erase_household": {"reason": "The family asked for it."},
    "take_submission": {
        "client_id": "0192f0c8-6a1e-7cc3-9b0e-5d1c8f7a2b31",
        "household": {"current_accommodation": "rented", "people": [PERSON], "origin": "{origin}"},
        "anywhere": True,
    },
    "begin_application": {"household": "{newcomer}", "preferences": [], "anywhere": True},
    "change_application": {"anywhere": True},
    "verify_applications": {"everything": True},
    "return_application": {"reasons": ["missing_document"]},
    "decide_eligibility": {"eligible": True, "policy": "{policy}", "facts_hash": "-"},
    "decide_eligibilities": {"everything": True, "eligible": True},
    "withdraw_application": {"reason": "The family stays where it is."},
    "decide_duplicate": {"decision": "same", "reason": "They were called."},
    "undo_merge": {"reason": "They are brothers."},
    "open_household": {"household": "{household}", "reason": "It stands at this desk."},
    "review_break_glass_grant": {"remark": "Justified."},
    "draft_policy": "the default policy",
    "preview_policy": {"solve": False},
    "request_run": {"settlements": ["{settlement}"]},
    "request_placement": {
        "household": "{household}",
        "kind": "forbid",
        "settlement": "{settlement}",
        "reason": "safety",
    },
    "lift_placement": {"reason": "It is over."},
    "enter_seed": {"seed": "4 17 23"},
    "reject_run": {"reason": "A mistake."},
    "check_letter": {"application": "{application}", "written_on": TODAY, "code": "7K3M-9QTX-4D2H"},
    "accept_offer": {"answered_on": TODAY, "given_how": "in_person"},
    "decline_offer": {"answered_on": TODAY, "given_how": "telephone", "reason": "no_work"},
    "lodge_appeal": {
        "application": "{decided}",
        "against": "proposal",
        "ground": "facts_wrong",
        "statement": "We are six.",
    },
    "decide_appeal": {"upheld": False, "reason": "The survey says otherwise."},
    "withdraw_offer": {"reason": "Measured wrongly."},
    "give_keys": {"household": "{expected}", "given_on": TODAY, "representative": "A neighbour"},
    "opt_out_of_title": {"person": "{spouse}", "reason": "It is her wish."},
    "add_title_holder": {"person": "{child}"},
    "check_occupancy": {"checked_on": "2026-01-01", "finding": "empty"},
    "register_swap_wish": {"household": "{tenant}", "options": [{"settlement": "{settlement}"}]},
    "confirm_swap": {"household": "{swapping}", "answered_on": TODAY, "given_how": "in_person"},
    "refuse_swap": {"household": "{swapping}"},
    "move_in": {"household": "{expected}", "moved_in_on": TODAY},
    "move_out": {"moved_out_on": "2026-01-01", "reason": "Gone."},
    "declare_house_unfit": {"reason": "It leaks."},
}
