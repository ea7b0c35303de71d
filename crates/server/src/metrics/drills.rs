//! What is measured of drills.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::drills::DrillShown;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfDrill {
    drill: String,
}

/// Registers how drills stand.
pub(super) fn register(registry: &mut Registry, drills: &[DrillShown]) {
    let [alarm, good, going, unsound] = std::array::from_fn(|_| Family::<OfDrill, Gauge>::default());
    for drill in drills {
        let of = OfDrill { drill: drill.drill.clone() };
        alarm.get_or_create(&of).set(drill.alarm_since.is_some().into());
        going.get_or_create(&of).set(drill.going.is_some().into());
        unsound.get_or_create(&of).set(drill.trouble.is_some().into());
        if let Some(last) = drill.last.as_ref().filter(|last| last.ended.is_some()) {
            good.get_or_create(&of).set((last.result == "good").into());
        }
    }
    registry.register("drill_alarm", "Whether a good drill is missing", alarm);
    registry.register("drill_last_good", "Whether the last drill was a good one", good);
    registry.register("drill_going", "Whether the drill takes place here", going);
    registry.register("drill_trouble", "Whether something stands in the way of the drill", unsound);
}
