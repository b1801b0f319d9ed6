"""Every act that the trail knows, on one page."""

from enum import StrEnum


class Act(StrEnum):
    """An act, named thing.verb."""

    # access
    USER_SIGN_IN = "user.sign_in"
    USER_SIGN_OUT = "user.sign_out"
    USER_SIGN_IN_REFUSED = "user.sign_in_refused"
    USER_CHANGE_PASSWORD = "user.change_password"  # noqa: S105 - the name of an act
    USER_RESET_PASSWORD = "user.reset_password"  # noqa: S105 - the name of an act
    USER_END_SESSIONS = "user.end_sessions"
    USER_RESET_SECOND_FACTOR = "user.reset_second_factor"
    SESSION_END = "session.end"
    SECOND_FACTOR_BEGIN = "second_factor.begin"
    SECOND_FACTOR_CONFIRM = "second_factor.confirm"
    SECOND_FACTOR_REMOVE = "second_factor.remove"
    SECOND_FACTOR_NEW_RECOVERY_CODES = "second_factor.new_recovery_codes"
    USER_ADD = "user.add"
    USER_SET_ROLES = "user.set_roles"
    USER_ENABLE = "user.enable"
    USER_DISABLE = "user.disable"
    TOKEN_ISSUE = "token.issue"  # noqa: S105 - the name of an act
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 - the name of an act
    # the stock
    ORIGIN_ADD = "origin.add"
    SETTLEMENT_ADD = "settlement.add"
    SETTLEMENT_CHANGE = "settlement.change"
    MILESTONE_SET = "milestone.set"
    JOBS_SET = "jobs.set"
    HOUSE_ADD = "house.add"
    HOUSE_CHANGE = "house.change"
    HOUSE_DECLARE_UNFIT = "house.declare_unfit"
    HOUSE_DECLARE_FIT = "house.declare_fit"
    LAND_RELEASE_AREA_ADD = "land_release_area.add"
    LAND_RELEASE_AREA_CHANGE = "land_release_area.change"
    # the register
    HOUSEHOLD_REGISTER = "household.register"
    HOUSEHOLD_CHANGE = "household.change"
    HOUSEHOLD_ERASE = "household.erase"
    SUBJECT_ACCESS_GIVE = "subject_access.give"
    PERSON_ADD = "person.add"
    PERSON_CHANGE = "person.change"
    PERSON_REMOVE = "person.remove"
    KIN_GROUP_ADD = "kin_group.add"
    APPLICATION_BEGIN = "application.begin"
    APPLICATION_CHANGE = "application.change"
    APPLICATION_SUBMIT = "application.submit"
    APPLICATION_WITHDRAW = "application.withdraw"
    BREAK_GLASS_OPEN = "break_glass.open"
    BREAK_GLASS_READ = "break_glass.read"
    BREAK_GLASS_REVIEW = "break_glass.review"
    HOUSEHOLD_READ = "household.read"
    HOUSEHOLD_LIST = "household.list"
    KIN_GROUP_LIST = "kin_group.list"
    APPLICATION_READ = "application.read"
    APPLICATION_LIST = "application.list"
    ASSESSMENT_READ = "assessment.read"
    # deciding
    POLICY_DRAFT = "policy.draft"
    POLICY_PUT_IN_FORCE = "policy.put_in_force"
    RUN_REQUEST = "run.request"
    RUN_ENTER_SEED = "run.enter_seed"
    RUN_CLAIM = "run.claim"
    RUN_PROPOSE = "run.propose"
    RUN_QUEUE_AGAIN = "run.queue_again"
    RUN_FAIL = "run.fail"
    RUN_CANCEL = "run.cancel"
    RUN_APPROVE = "run.approve"
    RUN_REJECT = "run.reject"
    PROPOSAL_LIST = "proposal.list"
    # living there
    TENANCY_MOVE_IN = "tenancy.move_in"
    TENANCY_MOVE_OUT = "tenancy.move_out"
    TENANCY_READ = "tenancy.read"
    TENANCY_LIST = "tenancy.list"
    RESERVATION_LIST = "reservation.list"
    # keys and files
    KEYS_ROTATE = "keys.rotate"
    EXCHANGE_IMPORT = "exchange.import"
    EXCHANGE_EXPORT = "exchange.export"
