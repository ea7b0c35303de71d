//! Acting on a run: the quick way to a driver, if its run is followed here, and the way of the command line else.

use runtime::Request;

use crate::app::App;
use crate::live::Driver;
use crate::verbs::{self, Asked, Asker, Verb, VerbError, claims, deliver};

impl App {
    /// Takes a verb on a run; its event is durable on return. A run that nobody drives then, and that is not over, is driven
    /// here from then on.
    pub(crate) async fn act(&self, run: &str, actor: &str, reason: &str, verb: &Verb) -> Result<Asked, VerbError> {
        verb.is_sound(reason)?;
        let store = &*self.drivers.kit().store;
        claims::refuse_others(store, run, actor, verb).await?;
        if let Some(request) = self.request(run, actor, reason, verb).await?
            && deliver(store, run, &request).await?
        {
            self.followers.nudge(run);
            claims::forget(store, run, verb).await;
            return Ok(Asked::OfDriver);
        }
        let asked = verbs::take(store, run, Asker { actor, reason, goes_on: true }, verb).await?;
        if asked == Asked::InJournal {
            // A run that is over ends its drive at once.
            self.drivers.start_again(run, actor);
        }
        self.followers.nudge(run);
        Ok(asked)
    }

    /// The request to whoever drives a run, made of its fold; the journal of a large one takes seconds to read again. `None`
    /// if nobody drives it, or if sites have to be held first.
    async fn request(&self, run: &str, actor: &str, reason: &str, verb: &Verb) -> Result<Option<Request>, VerbError> {
        let Ok(mut watch) = self.followers.watch(run).await else { return Ok(None) };
        let Ok(view) = watch.caught_up().await else { return Ok(None) };
        let driven = self.drivers.drives(run) || matches!(view.snapshot.driver, Driver::Process(_));
        if !driven || view.snapshot.state.over || matches!(verb, Verb::Adopt { .. }) {
            return Ok(None);
        }
        let asked = verb.clone();
        let made = watch.ask(move |fold| {
            let run = fold.run();
            asked.command(run).map(|command| (run.plan().hash().to_owned(), command))
        });
        let Ok(made) = made.await else { return Ok(None) };
        let (plan, command) = made?;
        Ok(Some(Request { plan, actor: actor.to_owned(), reason: reason.to_owned(), command }))
    }
}
