//! `schedule:` of a drill file.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::codes;
use crate::drill::keys;
use crate::drill::model::{CatchUp, Overlap};
use crate::drill::schedule::Schedule;
use crate::fields::Sink;
use crate::words;
use crate::yaml::{Node, Value};

/// Most slots that can be caught up.
const ALL_MAX: i64 = 100;

const OVERLAPS: &[(&str, Overlap)] = &[("skip", Overlap::Skip), ("queue", Overlap::Queue), ("cancel", Overlap::Cancel)];
const CATCH_UPS: &[(&str, CatchUp)] = &[("none", CatchUp::None), ("last", CatchUp::Last)];

pub(super) fn schedule(sink: &mut Sink<'_>, node: &Node) -> Option<Schedule> {
    let fields = sink.fields(node, "`schedule`", keys::SCHEDULE);
    let pattern = fields
        .need(sink, "cron", "say when, in five fields: `cron: \"30 3 * * 1\"` is Monday at 03:30")
        .and_then(|node| Some((sink.text(node, "`cron`")?, node.span)));
    let cron = pattern.and_then(|(pattern, span)| match cron(pattern) {
        Ok(cron) => Some(cron),
        Err(fact) => {
            sink.error(
                codes::DRILL_CRON,
                span,
                format!("`{}` is no schedule: {fact}", words::short(pattern)),
                "write minute, hour, day of the month, month and weekday: `30 3 * * 1` is Monday at 03:30",
            );
            None
        }
    });
    let zone = fields
        .need(sink, "time_zone", "say whose clocks: `time_zone: Europe/Berlin`, or `UTC`")
        .and_then(|node| zone(sink, node));
    let overlap = fields.get("overlap").and_then(|node| sink.word(node, "`overlap`", OVERLAPS)).unwrap_or_default();
    let catch_up = fields.get("catch_up").and_then(|node| catch_up(sink, node)).unwrap_or_default();
    Some(Schedule { cron: cron?, pattern: pattern?.0.to_owned(), zone: zone?, overlap, catch_up })
}

/// Reads a pattern of five fields that comes round at some time.
pub(super) fn cron(pattern: &str) -> Result<Cron, String> {
    let fields = pattern.split_whitespace().count();
    if fields != 5 {
        return Err(format!("it has {fields} field{}, not five", if fields == 1 { "" } else { "s" }));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser.parse(pattern).map_err(|error| error.to_string().trim_end_matches('.').to_owned())?;
    // 29 February comes round at least once in eight years.
    let from = chrono::DateTime::from_timestamp_millis(0).unwrap_or_default();
    cron.find_next_occurrence(&from, false).map(|_| cron).map_err(|_| "there is no such day".to_owned())
}

fn zone(sink: &mut Sink<'_>, node: &Node) -> Option<chrono_tz::Tz> {
    let name = sink.text(node, "`time_zone`")?;
    let zone = name.parse().ok();
    if zone.is_none() {
        let names = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let meant = words::closest(name, names()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        sink.error(
            codes::DRILL_ZONE,
            node.span,
            format!("there is no time zone `{}`", words::short(name)),
            format!("{meant}name one as the IANA database does: `Europe/Berlin`, `America/New_York`, `UTC`"),
        );
    }
    zone
}

fn catch_up(sink: &mut Sink<'_>, node: &Node) -> Option<CatchUp> {
    match &node.value {
        Value::Map(_) => {
            let fields = sink.fields(node, "`catch_up`", keys::CATCH_UP);
            let all = fields.need(sink, "all", "say how many at most: `catch_up: { all: 5 }`")?;
            let most = sink.integer(all, "`all`", 1..=ALL_MAX)?;
            u32::try_from(most).ok().map(CatchUp::All)
        }
        Value::Text(text) if text == "all" => {
            sink.error(
                codes::UNKNOWN_WORD,
                node.span,
                "`catch_up: all` has no bound",
                "say how many at most: `catch_up: { all: 5 }`",
            );
            None
        }
        _ => sink.word(node, "`catch_up`", CATCH_UPS),
    }
}
