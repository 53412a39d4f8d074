//! After a kill: whether the act that was cut off was done or not, and that everything is as it was
//! acknowledged. What was not acknowledged may be either; it may not be half.

use reqwest::{Method, StatusCode};

use super::{Act, Life, Over, Session, Standing, any, text};
use crate::crash::asker::Asker;
use crate::harness::ADMIN_TOKEN;

/// Of what was over before the last kill already, so many of each are looked at again.
const AGAIN: usize = 10;

impl Life {
    /// Asserts that all is as acknowledged. What is seen to be done of the pending act counts as
    /// acknowledged from here on.
    pub(in crate::crash) async fn check(&mut self, asker: &Asker, when: &str) {
        if let Some(act) = self.pending.take() {
            let is_done = self.is_done(asker, &act).await;
            self.untold_acts[usize::from(!is_done)] += 1;
            if is_done {
                self.has_done(&act);
            }
            // These two show no trace that could be told from others'.
            self.untold_tokens += usize::from(matches!(act, Act::MakeToken));
        }
        let when = format!("{} {when}", self.email);
        self.check_standing(asker, &when).await;
        self.check_what_lives(asker, &when).await;
        let over = std::mem::take(&mut self.over);
        self.over = over.check(asker, &self.mate.token, &when).await;
        self.use_one_twice(asker, &when).await;
    }

    async fn is_done(&self, asker: &Asker, act: &Act) -> bool {
        let is_shared = async |at: &usize| asker.is_known(&self.mate.token, Some(&self.projects[*at].id)).await;
        let status = async || asker.exists(&self.path()).await.map(|user| text(&user, "status"));
        match act {
            Act::SignIn | Act::Refresh(_) | Act::MakeToken | Act::MakeProject | Act::Forget => false,
            Act::Register => status().await.is_some(),
            Act::SignOut(at) => !asker.is_known(self.sessions[*at].access.last().unwrap(), None).await,
            Act::DeleteToken(at) => !asker.is_known(&self.tokens[*at].secret, None).await,
            Act::ChangePassword(new) | Act::Reset(_, new) => asker.sign_in(&self.email, new).await.is_some(),
            Act::Disable => status().await.unwrap() == "disabled",
            Act::Enable => status().await.unwrap() == "active",
            Act::Delete => status().await.is_none(),
            Act::Share(at) => is_shared(at).await,
            Act::Unshare(at) => !is_shared(at).await,
            Act::DeleteProject(at) => asker.exists(&format!("/1/projects/{}", self.projects[*at].id)).await.is_none(),
        }
    }

    async fn check_standing(&mut self, asker: &Asker, when: &str) {
        let found = asker.exists(&self.path()).await.map(|user| text(&user, "status"));
        let expected = match self.standing {
            Standing::Nobody => None,
            Standing::Active => Some("active"),
            Standing::Disabled => Some("disabled"),
        };
        assert_eq!(found.as_deref(), expected, "{when}");
        let signed_in = asker.sign_in(&self.email, &self.password).await;
        assert_eq!(signed_in.is_some(), self.standing == Standing::Active, "{when}: the password");
        self.sessions.extend(signed_in.as_ref().map(Session::of));
        if let Some(former) = &self.former_password {
            assert!(asker.sign_in(&self.email, former).await.is_none(), "{when}: the former password works again");
        }
    }

    async fn check_what_lives(&mut self, asker: &Asker, when: &str) {
        let is_active = self.standing == Standing::Active;
        for session in &mut self.sessions {
            assert!(asker.is_known(session.access.last().unwrap(), None).await, "{when}: a session was lost");
            let next = asker.refresh(session.newest()).await;
            session.take(&next.unwrap_or_else(|| panic!("{when}: a session's progress was lost")));
        }
        for token in &self.tokens {
            assert_eq!(asker.is_known(&token.secret, None).await, is_active, "{when}: token {}", token.id);
        }
        for project in &self.projects {
            assert!(asker.exists(&format!("/1/projects/{}", project.id)).await.is_some(), "{when}: a project is lost");
            let is_admitted = asker.is_known(&self.mate.token, Some(&project.id)).await;
            assert_eq!(is_admitted, project.is_shared, "{when}: project {}", project.id);
        }
        if self.standing == Standing::Nobody {
            self.untold_tokens = 0;
            return;
        }
        let path = format!("/1/tokens?user_id={}", self.email);
        let (status, listed) = asker.question(Method::GET, &path, ADMIN_TOKEN).await;
        assert_eq!(status, StatusCode::OK, "{listed}");
        let listed: Vec<_> = listed["tokens"].as_array().unwrap().iter().map(|token| text(token, "_id")).collect();
        assert!(self.tokens.iter().all(|token| listed.contains(&token.id)), "{when}: a token is lost: {listed:?}");
        let most = self.tokens.len() + self.untold_tokens;
        assert!(listed.len() <= most, "{when}: {} tokens, where {most} may be", listed.len());
    }

    /// A refresh token that was used long ago, used once more: its session is over.
    async fn use_one_twice(&mut self, asker: &Asker, when: &str) {
        let used: Vec<_> = (0..self.sessions.len()).filter(|at| self.sessions[*at].refresh.len() > 3).collect();
        if used.is_empty() || any(2) == 0 {
            return;
        }
        let session = self.sessions.remove(used[any(used.len())]);
        let old = &session.refresh[any(session.refresh.len() - 3)];
        assert!(asker.refresh(old).await.is_none(), "{when}: a refresh token was used twice");
        assert!(asker.refresh(session.newest()).await.is_none(), "{when}: its session goes on");
        assert!(!asker.is_known(session.access.last().unwrap(), None).await, "{when}: its session goes on");
        self.over.sessions.push(session);
    }
}

impl Over {
    async fn check(mut self, asker: &Asker, mate: &str, when: &str) -> Self {
        let [sessions, tokens, resets, projects] = self.checked;
        for at in worth_a_look(sessions, self.sessions.len()) {
            let Session { access, refresh } = &self.sessions[at];
            for token in access {
                assert!(!asker.is_known(token, None).await, "{when}: an access token of an ended session works again");
            }
            for token in refresh {
                assert!(asker.refresh(token).await.is_none(), "{when}: an ended session goes on");
            }
        }
        for at in worth_a_look(tokens, self.tokens.len()) {
            let token = &self.tokens[at];
            assert!(!asker.is_known(&token.secret, None).await, "{when}: the deleted token {} works again", token.id);
        }
        for at in worth_a_look(resets, self.resets.len()) {
            assert!(!asker.reset(&self.resets[at], "stolen pass phrase").await, "{when}: a reset was used twice");
        }
        for at in worth_a_look(projects, self.projects.len()) {
            let id = &self.projects[at].id;
            assert!(asker.exists(&format!("/1/projects/{id}")).await.is_none(), "{when}: project {id} is back");
            assert!(!asker.is_known(mate, Some(id)).await, "{when}: project {id} is shared again");
        }
        self.checked = [self.sessions.len(), self.tokens.len(), self.resets.len(), self.projects.len()];
        self
    }
}

/// All that are new, and some of the others.
fn worth_a_look(checked: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..checked.min(AGAIN)).map(move |_| any(checked)).chain(checked..count)
}
