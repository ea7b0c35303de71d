//! Every rule of the front end with its stable identifier; an identifier is never used for another rule.

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Stable identifier.
    pub id: &'static str,
    /// What the rule is about, for `check --explain` and the documentation.
    pub about: &'static str,
}

macro_rules! codes {
    ($($name:ident = $id:literal, $about:literal;)*) => {
        $(#[doc = $about] pub const $name: Code = Code { id: $id, about: $about };)*
        /// All rules in the order of their identifiers.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    NOT_UTF8 = "RB0101", "the file is not UTF-8";
    TOO_LARGE = "RB0102", "the file is larger than a runbook may be";
    TOO_DEEP = "RB0103", "the document is nested too deeply";
    YAML_SYNTAX = "RB0104", "the text is not valid YAML";
    YAML_FEATURE = "RB0105", "anchors, aliases, merge keys, tags and several documents are not part of the language";
    DUPLICATE_KEY = "RB0106", "a key is given twice";
    UNKNOWN_KEY = "RB0107", "a key is not part of the language";
    MISSING_KEY = "RB0108", "a key that must be given is missing";
    WRONG_TYPE = "RB0109", "a value has the wrong type";
    BAD_NAME = "RB0110", "a name is not a plain identifier or is reserved";
    UNKNOWN_WORD = "RB0111", "a word is not one of those allowed";
    BAD_VERSION = "RB0112", "the file declares another language or version";

    BAD_DURATION = "RB0201", "a duration is not understood, zero or absurd";
    BAD_RATE = "RB0202", "a rate is not understood";
    BAD_NUMBER = "RB0203", "a number is outside its range";
    BAD_PATTERN = "RB0204", "a regular expression is not valid";
    BAD_SIZES = "RB0205", "the sizes of the batches are not usable";
    SIZES_LENGTH = "RB0206", "batches.max_failures does not fit batches.sizes";
    POOL_EMPTY = "RB0207", "a pool limits nothing";
    BAD_DEFAULT = "RB0208", "the default of an input has another type";
    BAD_RESTORE_POINT = "RB0209", "the restore point cannot be worked out";

    UNKNOWN_STEP = "RB0301", "a step is named that does not exist";
    DUPLICATE_NEED = "RB0302", "a step needs the same step twice";
    CYCLE = "RB0303", "steps need each other in a circle";
    UNKNOWN_SCOPE = "RB0304", "a scope is named that does not exist";
    UNKNOWN_POOL = "RB0305", "a pool is named that does not exist";
    POOL_SLOTS = "RB0306", "a step wants more slots than its pool has";
    POOL_SCOPE = "RB0307", "a pool is counted per key of a narrower scope than the step's";
    UNKNOWN_ATTRIBUTE = "RB0308", "an attribute is named that is not declared";
    BATCH_DEADLOCK = "RB0309", "the first batch could never finish";
    WORKLESS = "RB0310", "a step does nothing or two things at once";
    FINALLY_NEED = "RB0311", "a need crosses between steps and finally";
    FINALLY_WORD = "RB0312", "a step of finally has what only other steps can have";
    POOL_SHARED = "RB0313", "a pool is shared between runs but counted per site or batch";
    RUNS_ON = "RB0314", "runs_on names no label, a wrong one, or the same one twice";

    EXPR_SYNTAX = "RB0401", "an expression cannot be parsed";
    EXPR_NAME = "RB0402", "an expression reads a name that does not exist";
    EXPR_SCOPE = "RB0403", "an expression reads what its scope does not have";
    EXPR_ANCESTOR = "RB0404", "an expression reads outputs of a step that need not have run";
    EXPR_TYPE = "RB0405", "an expression has the wrong type";
    EXPR_OUTPUT = "RB0406", "an expression reads an output that the action does not have";
    EXPR_INPUT = "RB0407", "an expression reads an input that is not declared";
    EXPR_ATTRIBUTE = "RB0408", "an expression reads an attribute that is not declared";
    EXPR_FUNCTION = "RB0409", "an expression calls what does not exist";
    EXPR_SECRET = "RB0410", "a secret is read where it could leak";
    EXPR_LIMIT = "RB0411", "an expression is longer than allowed";
    EXPR_ITEM = "RB0412", "item is read in a step without for_each";
    HOLE_OPEN = "RB0413", "a hole is not closed";

    UNKNOWN_ACTION = "RB0501", "an action is used that does not exist";
    UNKNOWN_INPUT = "RB0502", "an action is given an input that it does not have";
    MISSING_INPUT = "RB0503", "an action is not given an input that it needs";
    INPUT_TYPE = "RB0504", "an input of an action has the wrong type";
    EXPECT_OUTPUT = "RB0505", "targets.verify expects an output that the action does not have";

    NO_TIMEOUT = "RB0601", "a step has no time-out";
    RETRY_UNSAFE = "RB0602", "a step retries an action that is not idempotent";
    LITERAL_SECRET = "RB0603", "a secret is written into the file";
    LAPSE_APPROVES = "RB0604", "an approval would pass by time-out";
    NO_APPROVER = "RB0605", "an approval names nobody who may give it";
    RESERVED_STEP = "RB0606", "a step has a name that targets.verify uses";
    APPROVAL_WORD = "RB0607", "an approval has what only an action can have";
    APPROVER_TWICE = "RB0608", "an approval names a group twice";
    UNDO_READ_ONLY = "RB0609", "a step that changes nothing has an undo";
    UNDO_UNSURE = "RB0610", "an undo can neither be applied again nor asked for";
    UNDO_NOTHING = "RB0611", "a failure is to be undone where nothing has an undo";
    UNDO_REMAINS = "RB0612", "a failure is to be undone after effects that nothing takes back";
    GATE_IDLE = "RB0613", "a gate stands before batches of which there is only one";
    REMAP_ORIGINAL = "RB0614", "a step writes new IDs although sites keep theirs";
    REMAP_NOTHING = "RB0615", "sites get new IDs and no step writes or tells them";
    CHECKLIST = "RB0616", "a checklist says nothing, too much, or the same thing twice";
    RETURNED_BEFORE = "RB0617", "sites count as returned before a shared step has run";

    SITES_SYNTAX = "RB0701", "the site list cannot be read";
    SITES_COLUMN = "RB0702", "the site list has a column that is not declared";
    SITES_MISSING = "RB0703", "the site list lacks an attribute";
    SITES_VALUE = "RB0704", "a value of the site list has the wrong type";
    SITES_DUPLICATE = "RB0705", "a site is listed twice";
    SITES_KIND = "RB0706", "an ID is not of the kind that the runbook restores";
    SITES_EMPTY = "RB0707", "the site list is empty";

    ESTATE_SECRET = "RB0801", "a secret is not given as a reference";
    UNKNOWN_SECRET = "RB0802", "a secret is read that the estate does not have";
    PLAN_INPUT = "RB0803", "an input of the plan is missing, unknown or wrong";
    PLAN_EXPR = "RB0804", "an expression fails for a site";
    PLAN_LOSS = "RB0805", "a site would lose more data than allowed";
    PLAN_LIMIT = "RB0806", "the plan would be larger than the engine allows";
    ESTATE_APPROVERS = "RB0807", "a group of approvers of the estate has nobody or somebody twice";
    UNKNOWN_APPROVERS = "RB0808", "an approval names a group of approvers that the estate does not have";
    FEW_APPROVERS = "RB0809", "an approval needs more people than its groups have";
    PLAN_EXCLUDED = "RB0810", "a site is left out that is not in the list";
    ESTATE_ACTIONS = "RB0811", "an estate replaces an action in a way that means nothing";
    ESTATE_ANNOUNCE = "RB0815", "an estate announces milestones in a way that means nothing";

    DRILL_CRON = "RB0911", "the schedule of a drill is not understood or never comes";
    DRILL_ZONE = "RB0912", "the time zone of a drill does not exist";
    DRILL_SAMPLE = "RB0913", "the sample of a drill cannot be drawn";
    DRILL_SANDBOX = "RB0914", "the estate of a drill is no sandbox";
    DRILL_POINT = "RB0915", "the restore point of a drill cannot be drawn";
    DRILL_WAITS = "RB0916", "a drill would wait for people";

    OIDC_URL = "RB1001", "a URL of the sign-in cannot be trusted";
    OIDC_ROLES = "RB1002", "the sign-in gives nobody a role";
}
