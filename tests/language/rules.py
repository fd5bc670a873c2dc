"""Rules about phrases, which replace one kind of sentence by a plainer one. Single words are in words.txt."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Rule:
    """`pattern` is a regular expression in lower case. It matches whole words. A blank in it also matches the end of a
    line together with the comment marks or quotation marks between the lines. `raw` = the pattern is matched with the
    unchanged lines instead. `catches` and `passes` are examples: the same thought before and after."""
    pattern: str
    instead: str
    catches: str
    passes: str
    raw: bool = False

    def matches(self, text):
        """Yields the matches in a text of check.Flat, or in the unchanged text of a file if `raw`."""
        for match in re.finditer(self.pattern if self.raw else rf"(?:{self.pattern})(?!\w)", text):
            # A \b at the beginning of the pattern would make the search ten times slower.
            before = text[match.start() - 1:match.start()]
            if self.raw or not (before.isalnum() or before == "_"):
                yield match


RULES = [
    # Archaic or foreign forms.
    Rule("for ever", "forever, permanently", "The shard is held for ever.", "The shard is held forever."),
    Rule("had better", "should", "Orders had better wait.", "Orders should wait."),
    Rule(r"so (?:many|much)(?![^.;:\"]{0,120}\bthat\b)", "that many, at most N", "It reads so many rows at a time.",
         "It reads that many rows at a time, because so many failures wait that most retries would be dropped."),
    Rule("so long(?! as| that)", "that long, for this time", "A broker that is silent for so long is down.",
         "A broker that is silent for that long is down, so long as the network works."),
    Rule("(?:user|role|account)s? may not(?! be)", "lacks permission to, is not allowed to", "The user may not write to the topic.",
         "The user lacks permission to write to the topic, which may not exist."),
    Rule("not known here", "unknown option, unknown key", "--flush is not known here", "unknown option --flush"),
    Rule("also where", "even if, and also if", "It is sent also where the lease ended.", "It is sent even if the lease ended."),
    Rule("but for", "except", "The rows are equal but for their ids.", "The rows are equal except for their ids."),
    Rule("be had", "be obtained, is unavailable", "No connection can be had.", "No connection can be opened."),
    Rule("of ours", "of this relay, of the plugin", "A transaction of ours holds the row.",
         "A transaction of this relay holds the row."),
    Rule("of before", "previous, earlier", "A token of before is refused.", "An earlier token is refused."),
    Rule("up to here", "up to this id", "Up to here ids are stable.", "Ids up to this one are stable."),
    Rule("that (?:is|are) none", "is not one", "A file that is none is refused.", "A file that is not a plugin is refused."),
    Rule(r"(?:is|are|be) there (?:twice|\S+ times)", "is given twice, occurs twice", "The key is there twice.",
         "The key occurs twice."),
    Rule("what cannot be", "name the thing that cannot be", "What cannot be removed stays.", "A row that cannot be removed stays."),
    Rule("(?:is|are|was|were) looked (?:at|for)", "checked, searched", "Deleted rows are looked for once.",
         "Deleted rows are searched once."),
    Rule("whose turn", "the one that is next", "A shard whose turn it is not waits.", "A shard that is not next waits."),
    Rule("(?:stand|stands|stood|standing) (?:before|behind)", "is queued behind, precedes", "Rows 2 and 3 stand behind row 1.",
         "Rows 2 and 3 are queued behind row 1."),
    Rule("given back", "released, returned", "The lease was given back.", "The lease was released."),
    Rule("let go", "release, remove", "The database does not let the row go, or let go of it.",
         "The database does not remove the row."),

    # Machines as persons.
    Rule("(?:go|goes|going|went) on with", "continue with", "The relay goes on with this session.",
         "The relay continues with this session. It goes on reading."),
    Rule("(?:go|goes|went) without", "do not have, lack", "The metrics go without a backlog.",
         "The metrics do not contain the backlog."),
    Rule("(?:a|the|one|each|every|first|last|next) look(?!-)", "poll, check, read", "The last look was a second ago.",
         "The last poll was a second ago. It looks the row up."),
    Rule("look what", "read the backlog", "It cannot look what waits.", "It cannot read the backlog."),
    Rule("in (?:hand|(?:its|their|our|the relay's) hands?)", "outstanding", "Rows that are in hand are skipped.",
         "Rows that are outstanding are skipped. The relay hands over the shard."),
    Rule("says? of", "is known about, reports about", "It shows what the server says of itself.",
         "It shows what the server reports about itself."),
    Rule("(?:has|have|is|are|was|were) said", "reported, stated", "The plugin has said that rows wait.",
         "The plugin has reported that rows wait."),
    Rule("(?:relay|database|broker|server|plugin|client|kafka|library|engine|adapter|consumer)s?"
         " (?:believes?|thinks?|wants?|tells?|hears?|speaks? of)", "has read, requests, reports",
         "The relay believes that it is alone.", "The relay assumes that it is alone. The user wants it."),
    Rule("those (?:who|whose)", "relays that, callers that", "The lease is for those who deliver.",
         "The lease is for relays that deliver."),
    Rule("who works", "which relay is active, which relay owns the shard", "It shows who works.",
         "It shows which relay is active."),
    Rule("at work", "running, active", "One shard at work.", "A running shard. It stops at workers that end."),
    Rule("(?:he|she|him|her|his|hers|himself|herself)", "it, they, the user", "The owner may drop it if he inserts.",
         "The owner may drop it if they insert. The header is here."),

    # Words of the project that the glossary has replaced.
    Rule("ends relays", "is a poison event", "Such an event ends relays.", "Such an event is a poison event."),
    Rule("small steps", "slow start", "The relay begins with small steps.", "The relay begins with a slow start."),
    Rule("last rites", "destroy timeout", "It waits for the last rites.", "It waits for the destroy timeout."),
    Rule("words? too many", "unexpected argument", "one word too many: x", "unexpected argument: x"),

    # Comments without a sentence.
    Rule(r"[;,{}] +// of ", "a noun phrase or a sentence that does not need the name", "int size;  // of the batch",
         "int size;  // size of the batch; of no other", raw=True),
    Rule(r"(?m)^(?![ \t]*//).*\n[ \t]*// Of (?=[a-z])", "a sentence that does not need the name below it",
         "int a;\n// Of one key, in ids.\nint b;", "int a;\n// Number of ids\n// Of one key.\nint b;", raw=True),
]
