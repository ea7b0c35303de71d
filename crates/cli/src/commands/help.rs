//! `help`: the pages of the guide, what a code means, and the help of commands.

use clap::CommandFactory;
use serde_json::json;
use server::guide::{self, TOPICS};

use crate::args::{Cli, Help};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// Prints the page, the code or the command that is named; without a name, what there is.
pub(crate) fn help(args: &Help, json: bool) -> Result<Exit, Failure> {
    let mut command = Cli::command();
    command.build();
    let [first, rest @ ..] = args.words.as_slice() else {
        if json {
            let rows = TOPICS.iter().map(|topic| json!({ "name": topic.name, "summary": topic.summary }));
            out::json(&rows.collect::<Vec<_>>());
        } else {
            out::answer(&format!("{}\n{}", command.render_long_help().ansi(), topics()));
        }
        return Ok(Exit::Done);
    };
    let of_command = command.find_subcommand(first).map(clap::Command::get_name).map(str::to_owned);
    if rest.is_empty()
        && let Some(text) = guide::text(first, out::width(), out::colored())
    {
        if json {
            page_as_json(first);
        } else {
            out::answer(&text);
            if let Some(name) = of_command {
                out::answer(&format!("\nThe command of this name: `reinstate {name} --help`."));
            }
        }
        return Ok(Exit::Done);
    }
    let mut found = &mut command;
    for word in &args.words {
        match found.find_subcommand_mut(word) {
            Some(inner) => found = inner,
            None => return Err(unknown(word, rest.is_empty())),
        }
    }
    let text = found.render_long_help();
    if json {
        out::json(&json!({ "name": args.words.join(" "), "text": text.to_string() }));
    } else {
        out::answer(&text.ansi().to_string());
    }
    Ok(Exit::Done)
}

fn page_as_json(name: &str) {
    match (guide::topic(name), guide::entry(name)) {
        (Some(topic), _) => {
            let text = guide::text(name, out::width(), false);
            out::json(&json!({ "name": topic.name, "title": topic.title, "text": text }));
        }
        (None, entry) => out::json(&entry),
    }
}

/// The pages of the guide, for people.
fn topics() -> String {
    let mut text = "Pages of the guide, each by `reinstate help PAGE`:\n".to_owned();
    for topic in TOPICS {
        text.push_str(&format!("  {:<16} {}\n", topic.name, topic.summary));
    }
    text.push_str("\n`reinstate help CODE` explains what stands in `error[CODE]`.");
    text
}

fn unknown(word: &str, guess: bool) -> Failure {
    let command = Cli::command();
    let commands = command.get_subcommands().map(clap::Command::get_name);
    let hint = match guess.then(|| guide::suggestion(word, commands)).flatten() {
        Some(like) => format!("did you mean `reinstate help {like}`? `reinstate help` lists what there is"),
        None => "`reinstate help` lists pages and commands".to_owned(),
    };
    Failure::input("help-topic", format!("there is no page, code or command `{}`", word.escape_debug()), hint)
}
