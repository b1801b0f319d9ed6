"""Where an application stands, said to the family itself, in its language."""

from collections.abc import Callable, Mapping

from app.languages.words import Phrase, Words

STATES: Mapping[str, Callable[[Words], Phrase]] = {
    "draft": lambda words: words.say("Your application was begun, and is not handed in yet."),
    "submitted": lambda words: words.say("Your application is handed in, and will be checked."),
    "returned": lambda words: words.say("Your application cannot be checked yet, because something is missing:"),
    "verified": lambda words: words.say("Your application was checked. Next it is decided whether you can take part."),
    "eligible": lambda words: words.say("You can take part, and wait for the next allocation."),
    "ineligible": lambda words: words.say("A decision was made on your application."),
    "allocated": lambda words: words.say("A house is reserved for you."),
    "housed": lambda words: words.say("You live in a house of this programme."),
    "withdrawn": lambda words: words.say(
        "Your application was withdrawn. You can apply again at any time, without disadvantage."
    ),
}
"""State of an application → what it means to the family."""

RETURNED: Mapping[str, Callable[[Words], Phrase]] = {
    "missing_document": lambda words: words.say("A document is missing."),
    "unreadable_document": lambda words: words.say("A document cannot be read."),
    "identity_unclear": lambda words: words.say("It is not clear who somebody in your family is."),
    "household_incomplete": lambda words: words.say("Somebody or something of your family is not entered."),
    "contact_missing": lambda words: words.say("We do not know how to reach you."),
    "wishes_missing": lambda words: words.say("We do not know where you want to live."),
    "other": lambda words: words.say("Your caseworker can tell you what is missing."),
}
"""Why an application was returned → what the family is told."""
