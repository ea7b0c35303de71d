//! Every way in which a row can hold an ID, and rows of others that must not move.

use super::world::{NEW, OLD, OTHER, world};

/// Each table's rows of a site with IDs as new ones: `{x}` is the new ID of x, looked up in the map that is kept.
const AS_NEW: [&str; 13] = [
    "SELECT {sites.id:id}, host, plan_id, {users.id:owner_id} FROM sites WHERE id = '{old}'",
    "SELECT {users.id:id}, {sites.id:site_id}, {users.id:manager_id}, mail, {users.id:id}::bigint * 10, lower_mail FROM users WHERE site_id = '{old}'",
    "SELECT {sites.id:site_id}, number, {users.id:lead_id} FROM projects WHERE site_id = '{old}'",
    "SELECT {issues.id:id}, {sites.id:site_id}, project FROM issues WHERE site_id = '{old}'",
    "SELECT {issues.id:source}, {issues.id:target}, kind FROM links JOIN issues i ON i.id = source WHERE site_id = '{old}'",
    "SELECT {comments.id:c.id}, {issues.id:issue_id}, {comments.id:c.parent_id} FROM comments c JOIN issues i ON i.id = issue_id WHERE site_id = '{old}'",
    "SELECT {pages.id:id}, {sites.id:site_id}, title FROM pages WHERE site_id = '{old}'",
    "SELECT {hooks.id:id}, {sites.id:site_id}, url FROM hooks WHERE site_id = '{old}'",
    "SELECT {hook_calls.id:c.id}, {hooks.id:hook_id}, status FROM hook_calls c JOIN hooks h ON h.id = hook_id WHERE site_id = '{old}'",
    "SELECT {users.id:user_id}, cardinality(watched) FROM profiles JOIN users u ON u.id = user_id WHERE site_id = '{old}'",
    "SELECT {events.id:id}, {sites.id:site_id}, at, {users.id:user_id} FROM events WHERE site_id = '{old}'",
    "SELECT {comments.id:comment_id}, emoji FROM reactions r JOIN comments c ON c.id = comment_id JOIN issues i ON i.id = issue_id WHERE site_id = '{old}'",
    "SELECT {votes.id:v.id}, subject_type, CASE subject_type WHEN 'Page' THEN {pages.id:subject_id} ELSE {comments.id:subject_id} END FROM votes v \
     WHERE subject_type = 'Page' AND subject_id IN (SELECT id FROM pages WHERE site_id = '{old}') \
     OR subject_type = 'Comment' AND subject_id IN (SELECT c.id FROM comments c JOIN issues i ON i.id = issue_id WHERE site_id = '{old}')",
];

/// Turns a query of the copy into one whose IDs are looked up.
fn looked_up(query: &str) -> String {
    let mut text = query.replace("{old}", OLD);
    while let Some((before, rest)) = text.split_once('{') {
        let (place, after) = rest.split_once('}').unwrap();
        let (key, value) = place.split_once(':').unwrap();
        let (table, column) = key.split_once('.').unwrap();
        text = format!(
            "{before}(SELECT new FROM id_map m WHERE m.t = '{table}' AND m.c = '{column}' AND m.old = ({value})::text){after}"
        );
    }
    text
}

#[tokio::test]
async fn every_row_comes_back_under_new_ids_and_nobody_else_is_touched() {
    let world = world().await;
    let others = world.rows("live");
    let looked = world.look(OLD).await;
    assert_eq!((looked.conflicts, looked.missing), (vec![], vec![]));
    assert_eq!(world.rows("live"), others, "a look changes nothing");
    assert_eq!(world.live("SELECT last_value FROM users_id_seq"), "4", "nor does it use up numbers");

    let restored = world.restore(OLD).await.unwrap();
    assert_eq!((restored.rows, restored.inserted, restored.already), (looked.rows, looked.rows, 0));
    let remapped = restored.remapped.unwrap();
    assert_eq!((remapped.was.as_str(), remapped.tenant.as_str()), (OLD, NEW));
    let ids: Vec<String> = remapped.ids.iter().map(|(table, ids)| format!("{table} {ids}")).collect();
    assert_eq!(
        ids,
        ["comments 2", "events 2", "hook_calls 2", "hooks 1", "issues 2", "pages 1", "sites 1", "users 2", "votes 2"]
    );
    assert_eq!(remapped.dangling, []);
    assert_eq!(remapped.backup, looked.tables, "the rows are those of the backup");

    // What others have is as it was, and what came is not there under any old ID.
    let now = world.rows("live");
    assert!(others.iter().all(|row| now.contains(row)));
    // One text has two lines.
    assert_eq!(now.len() as u64, others.len() as u64 + restored.rows + 1);
    assert!(!now.iter().any(|row| row.contains(OLD)));
    assert_eq!(world.live(&format!("SELECT count(*) FROM sites WHERE id = '{NEW}' AND host = 'host1'")), "1");

    // Judged by somebody else: the map as it is kept, joined to the copy by hand.
    let _ = world.copy("CREATE TABLE id_map (t text, c text, old text, new text)");
    let map = world.live("SELECT format('(%L,%L,%L,%L)', \"table\", \"column\", old, new) FROM reinstate.id_map");
    let _ = world.copy(&format!("INSERT INTO id_map VALUES {}", map.replace('\n', ",")));
    for query in AS_NEW {
        let plain = query.replace("{old}", NEW);
        let plain = std::iter::successors(Some(plain), |text| {
            let (before, rest) = text.split_once('{')?;
            let (place, after) = rest.split_once('}')?;
            Some(format!("{before}{}{after}", place.split_once(':')?.1))
        });
        let plain = plain.last().unwrap();
        let sorted = |text: String| {
            let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
            rows.sort();
            rows
        };
        let (meant, is) = (sorted(world.copy(&looked_up(query))), sorted(world.live(&plain)));
        assert!(!meant.is_empty(), "{query}");
        assert_eq!(meant, is, "{query}");
    }
}

#[tokio::test]
async fn ids_inside_of_json_text_and_arrays_follow_and_all_else_there_stays() {
    let world = world().await;
    let _ = world.restore(OLD).await.unwrap();
    let of = |site: &str| {
        format!(
            "SELECT f.payload::text, f.id, s.id, b.id, m.id FROM issues f JOIN issues s ON s.site_id = f.site_id AND s.project = 2 \
             JOIN users b ON b.site_id = f.site_id AND b.mail LIKE 'Boss%' JOIN users m ON m.site_id = f.site_id AND m.mail LIKE 'Member%' \
             WHERE f.site_id = '{site}' AND f.project = 1"
        )
    };
    let (was, is) = (world.copy(&of(OLD)), world.live(&of(NEW)));
    let ids = |row: &str| row.rsplitn(5, '|').take(4).map(str::to_owned).collect::<Vec<_>>();
    let payload = |row: &str| row.split_once('|').unwrap().0.to_owned();
    let mut meant = payload(&was).replace(OLD, NEW);
    for (old, new) in ids(&was).iter().zip(ids(&is)) {
        // Numbers in quotes and without; `n` is neither.
        for form in ["\"{}\"", ": {},"] {
            meant = meant.replace(&form.replace("{}", old), &form.replace("{}", &new));
        }
    }
    assert_eq!(meant, payload(&is));
    assert!(is.contains("\"n\": 90.50"), "{is}");

    let body = |site: &str| {
        format!(
            "SELECT body FROM comments JOIN issues i ON i.id = issue_id WHERE site_id = '{site}' ORDER BY comments.id"
        )
    };
    let (was, is) = (ids(&was), ids(&is));
    let meant = world.copy(&body(OLD)).replace(&was[2], &is[2]).replace(&was[3], &is[3]).replace(OLD, NEW);
    assert_eq!(meant, world.live(&body(NEW)));
    let watched = world.live(&format!(
        "SELECT watched FROM profiles JOIN users u ON u.id = user_id WHERE site_id = '{NEW}' ORDER BY 1 DESC LIMIT 1"
    ));
    assert_eq!(watched, format!("{{{},{}}}", is[3], is[2]));
}

#[tokio::test]
async fn a_second_attempt_finds_the_first_and_draws_no_number() {
    let mut world = world().await;
    let first = world.restore(OLD).await.unwrap();
    let rows = world.rows("live");
    let numbers = world.live("SELECT last_value FROM users_id_seq");
    world.job.token = 2;
    let second = world.restore(OLD).await.unwrap();
    assert!(second.before && !first.before);
    assert_eq!((second.remapped, second.tables), (first.remapped, first.tables));
    assert_eq!(world.live("SELECT last_value FROM users_id_seq"), numbers);
    assert_eq!(world.rows("live"), rows);
    // The other site is still what it was, and comes back under yet another ID.
    world.delete(&[OTHER]).await;
    world.job.remap.as_mut().unwrap().tenant = "bbbbbbbb-0000-4000-8000-00000000000b".into();
    let other = world.restore(OTHER).await.unwrap();
    assert_eq!(other.remapped.unwrap().ids.len(), 9);
    assert_eq!(world.live("SELECT count(*), count(DISTINCT key), count(DISTINCT was) FROM reinstate.id_map"), "30|2|2");
}
