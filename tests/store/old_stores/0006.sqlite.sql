BEGIN TRANSACTION;
CREATE TABLE accounts ( backend VARCHAR(100) NOT NULL, id VARCHAR(36) NOT NULL, email VARCHAR(1024) NOT NULL, folded VARCHAR(1024) NOT NULL, full_name TEXT NOT NULL, biography TEXT, tz TEXT, created_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (backend, id), CONSTRAINT uq_accounts_folded UNIQUE (backend, folded));
INSERT INTO "accounts" VALUES('guests','bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a','new@example.org','new@example.org','New One',NULL,NULL,1.79596645803356862072e+09);
CREATE TABLE admin_sessions (
	digest VARCHAR(64) NOT NULL, 
	admin VARCHAR(100) NOT NULL, 
	form_token VARCHAR(64) NOT NULL, 
	created_at FLOAT NOT NULL, 
	seen_at FLOAT NOT NULL, 
	notice TEXT, 
	CONSTRAINT pk_admin_sessions PRIMARY KEY (digest), 
	CONSTRAINT fk_admin_sessions_admin FOREIGN KEY(admin) REFERENCES admins (name) ON DELETE CASCADE
);
CREATE TABLE admins (
	name VARCHAR(100) NOT NULL, 
	password_hash TEXT NOT NULL, 
	created_at FLOAT NOT NULL, 
	changed_at FLOAT NOT NULL, 
	CONSTRAINT pk_admins PRIMARY KEY (name)
);
INSERT INTO "admins" VALUES('olga','$argon2id$v=19$m=19456,t=2,p=1$t+ziWdmLiLVthf0GiNznVQ$6dfsNzIlEaOXa3vkCGDad4pa37UD+QD93MD0D1D4jAM',1.79596643307980847353e+09,1.79596643307980847353e+09);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0006');
CREATE TABLE attempts (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	subscription_id VARCHAR(120) NOT NULL, 
	delivery_id VARCHAR(40) NOT NULL, 
	serial BIGINT NOT NULL, 
	event_count INTEGER NOT NULL, 
	person_id VARCHAR(1024) NOT NULL, 
	at FLOAT NOT NULL, 
	seconds FLOAT NOT NULL, 
	is_ok BOOLEAN NOT NULL, 
	status INTEGER, 
	error TEXT, 
	response TEXT, 
	CONSTRAINT fk_attempts_subscription_id FOREIGN KEY(subscription_id) REFERENCES subscriptions (id) ON DELETE CASCADE
);
INSERT INTO "attempts" VALUES(1,'sub_config_wiki','evt_01a227f12556311e5e14f9615cae0ba1',1,1,'7',1.79596644491073489189e+09,4.95547700029419502243e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(2,'sub_123b225a93d1e4927971835a','evt_01a227f12556311e5e14f9615cae0ba1',1,1,'7',1.79596644491203117372e+09,2.47024700001929886639e-03,0,500,'http://127.0.0.1:18181 answers with status 500','');
INSERT INTO "attempts" VALUES(3,'sub_config_wiki','evt_01a227f1352213c7ed2739c966350665',2,1,'7',1.79596644893849682811e+09,0.00745884899970406,1,200,NULL,'');
INSERT INTO "attempts" VALUES(4,'sub_123b225a93d1e4927971835a','evt_01a227f12556311e5e14f9615cae0ba1',1,1,'7',1.79596645017403578757e+09,1.33095700039120856672e-03,0,500,'http://127.0.0.1:18181 answers with status 500','');
INSERT INTO "attempts" VALUES(5,'sub_config_wiki','evt_01a227f1411b51546ce91f802a71859f',3,1,'30',1.79596645200942039489e+09,6.52335999984643422067e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(6,'sub_config_wiki','evt_01a227f1411b0c229bb02cff17df9708',5,1,'8',1.79596645201433610921e+09,2.88240600002609426155e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(7,'sub_config_wiki','evt_01a227f1411bb005cc5f6e82af2cd92b',6,1,'31',1.7959664520148072242e+09,9.84606600013648858293e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(8,'sub_config_wiki','evt_01a227f1411b9f4bdc92ec457c9be7c4',4,1,'30',1.79596645201606059079e+09,1.84902990004047751426e-02,1,200,NULL,'');
INSERT INTO "attempts" VALUES(9,'sub_config_wiki','evt_01a227f1411b6dcce498e855cd5ed678',7,1,'31',1.79596645203466176985e+09,1.59679939997658948414e-02,1,200,NULL,'');
INSERT INTO "attempts" VALUES(10,'sub_123b225a93d1e4927971835a','evt_01a227f1411b51546ce91f802a71859f',3,1,'30',1.79596645201382136341e+09,8.07573000020056497305e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(11,'sub_123b225a93d1e4927971835a','evt_01a227f1411b9f4bdc92ec457c9be7c4',4,1,'30',1.79596645202201461786e+09,1.61880040004689362831e-02,1,200,NULL,'');
INSERT INTO "attempts" VALUES(12,'sub_123b225a93d1e4927971835a','evt_01a227f1411bb005cc5f6e82af2cd92b',6,1,'31',1.79596645202577066425e+09,1.29883320005319546908e-02,1,200,NULL,'');
INSERT INTO "attempts" VALUES(13,'sub_123b225a93d1e4927971835a','evt_01a227f1411b0c229bb02cff17df9708',5,1,'8',1.79596645202503418922e+09,2.36997069996505160816e-02,1,200,NULL,'');
INSERT INTO "attempts" VALUES(14,'sub_123b225a93d1e4927971835a','evt_01a227f1411b6dcce498e855cd5ed678',7,1,'31',1.79596645203882050514e+09,1.19510059994354378432e-02,1,200,NULL,'');
INSERT INTO "attempts" VALUES(15,'sub_config_wiki','evt_01a227f158a35a64b554caa88e5b3df3',8,1,'5',1.79596645802479314805e+09,2.03019699983997270464e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(16,'sub_123b225a93d1e4927971835a','evt_01a227f158a35a64b554caa88e5b3df3',8,1,'5',1.79596645802525782583e+09,0.00570934400002443,1,200,NULL,'');
INSERT INTO "attempts" VALUES(17,'sub_config_wiki','evt_01a227f158b601187b3d58c87c7bb800',9,1,'bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a',1.79596645804042148591e+09,5.99577399952977430075e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(18,'sub_config_wiki','evt_01a227f158b6591b9f7aee04eaafe37d',10,1,'bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a',1.79596645804655528065e+09,1.45727099970827111974e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(19,'sub_123b225a93d1e4927971835a','evt_01a227f158b601187b3d58c87c7bb800',9,1,'bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a',1.79596645804219675062e+09,4.80899299964221427217e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(20,'sub_123b225a93d1e4927971835a','evt_01a227f158b6591b9f7aee04eaafe37d',10,1,'bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a',1.79596645804706549643e+09,2.59570599973812932148e-03,1,200,NULL,'');
CREATE TABLE audit_log (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at FLOAT NOT NULL, 
	action VARCHAR(100) NOT NULL, 
	subject VARCHAR(1200) NOT NULL, 
	actor VARCHAR(200), 
	details TEXT NOT NULL
);
INSERT INTO "audit_log" VALUES(1,1.79596643165548133843e+09,'token.created','reader','command line','{"id": "tok_575bc059fd3a86884df54da8", "name": "reader", "state": "live", "scopes": ["events:read", "subscriptions:write", "sync:admin"], "resources": [{"kind": "all"}], "created_at": "2026-11-29T15:33:50Z", "expires_at": null, "revoked_at": null, "used_at": null}');
INSERT INTO "audit_log" VALUES(2,1.79596643439832401277e+09,'admin.created','olga','command line','{}');
INSERT INTO "audit_log" VALUES(3,1.79596644066251444815e+09,'token.rotated','groups','command line','{}');
INSERT INTO "audit_log" VALUES(4,1.79596644428921604162e+09,'subscription.created','sub_123b225a93d1e4927971835a','token:reader','{"token": "reader", "uid": "crm", "resource": "all", "host": "http://127.0.0.1:18181"}');
INSERT INTO "audit_log" VALUES(5,1.79596645812949275971e+09,'subscription.created','sub_ff6a81aaeba466d63f1b06c0',NULL,'{"token": "reader", "uid": "push.739cafc4-a6a9-4597-9030-7ee75dcaae12.Bd5-AIVIvle3sfSIe-wCpA", "resource": "hq", "host": null}');
INSERT INTO "audit_log" VALUES(6,1.79596645900363826751e+09,'sync.held','branch',NULL,'{"run": 1, "reason": "18 of 30 people (60 %) would be deleted. The limit is 20 % and 10", "counts": {"created": 0, "updated": 0, "deleted": 18, "due": 0, "disabled": 0, "regrouped": 0}}');
CREATE TABLE bound_resources (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	digest VARCHAR(64) NOT NULL, 
	kind VARCHAR(10) NOT NULL, 
	backend VARCHAR(100), 
	serial BIGINT NOT NULL, 
	change BIGINT NOT NULL, 
	CONSTRAINT uq_bound_resources_digest UNIQUE (digest)
);
INSERT INTO "bound_resources" VALUES(1,'448ed7cf2af75b6cc17f696a76a29c62659db5230c666594293acacc1b5d1eed','backend','hq',11,1);
CREATE TABLE deliveries (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	subscription_id VARCHAR(120) NOT NULL, 
	serial BIGINT NOT NULL, 
	lane VARCHAR(1200) NOT NULL, 
	event_id VARCHAR(40) NOT NULL, 
	event_type VARCHAR(40) NOT NULL, 
	backend VARCHAR(100) NOT NULL, 
	person_id VARCHAR(1024) NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_at FLOAT, 
	error TEXT, 
	status INTEGER, 
	created_at FLOAT NOT NULL, 
	changed_at FLOAT NOT NULL, 
	CONSTRAINT fk_deliveries_subscription_id FOREIGN KEY(subscription_id) REFERENCES subscriptions (id) ON DELETE CASCADE, 
	CONSTRAINT uq_deliveries_subscription_id UNIQUE (subscription_id, event_id)
);
INSERT INTO "deliveries" VALUES(1,'sub_123b225a93d1e4927971835a',1,'hq/7','evt_01a227f12556311e5e14f9615cae0ba1','user.updated','hq','7','parked',2,1.79596675601192450524e+09,'http://127.0.0.1:18181 answers with status 500',500,1.79596644495979452125e+09,1.79596645021794986719e+09);
INSERT INTO "deliveries" VALUES(2,'sub_123b225a93d1e4927971835a',2,'hq/7','evt_01a227f1352213c7ed2739c966350665','user.updated','hq','7','held',0,NULL,NULL,NULL,1.79596644900308275221e+09,1.79596644900308275221e+09);
CREATE TABLE events (
	serial INTEGER NOT NULL, 
	id VARCHAR(40) NOT NULL, 
	type VARCHAR(40) NOT NULL, 
	backend VARCHAR(100) NOT NULL, 
	person_id VARCHAR(1024) NOT NULL, 
	group_name TEXT, 
	noticed_at FLOAT NOT NULL, 
	origin VARCHAR(120), 
	groups TEXT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (serial), 
	CONSTRAINT uq_events_id UNIQUE (id)
);
INSERT INTO "events" VALUES(1,'evt_01a227f12556311e5e14f9615cae0ba1','user.updated','hq','7',NULL,1.79596644488661527638e+09,NULL,'["mail"]','{"object":{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"u07@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"full_name":{"old":"Person 7 of Köln","new":"Renamed Seven"}}}');
INSERT INTO "events" VALUES(2,'evt_01a227f1352213c7ed2739c966350665','user.updated','hq','7',NULL,1.79596644893010401727e+09,NULL,'["mail"]','{"object":{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"emails":{"old":[{"address":"u07@example.org","is_verified":true,"is_preferred":true}],"new":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}]}}}');
INSERT INTO "events" VALUES(3,'evt_01a227f1411b51546ce91f802a71859f','membership.removed','hq','30','sales',1.79596645199568247797e+09,NULL,'["sales"]','{"object":null,"before":{"id":"30","username":"u30","full_name":"Person 30 of Köln","distinguished_name":null,"emails":[{"address":"u30@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(4,'evt_01a227f1411b9f4bdc92ec457c9be7c4','user.deleted','hq','30',NULL,1.79596645199568247797e+09,NULL,'["sales"]','{"object":null,"before":{"id":"30","username":"u30","full_name":"Person 30 of Köln","distinguished_name":null,"emails":[{"address":"u30@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(5,'evt_01a227f1411b0c229bb02cff17df9708','user.updated','hq','8',NULL,1.79596645199568247797e+09,NULL,'["sales"]','{"object":{"id":"8","username":"u08","full_name":"Person 8 of Köln","distinguished_name":null,"emails":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"emails":{"old":[{"address":"u08@example.org","is_verified":true,"is_preferred":true}],"new":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}]}}}');
INSERT INTO "events" VALUES(6,'evt_01a227f1411bb005cc5f6e82af2cd92b','user.created','hq','31',NULL,1.79596645199568247797e+09,NULL,'["mail"]','{"object":{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(7,'evt_01a227f1411b6dcce498e855cd5ed678','membership.added','hq','31','mail',1.79596645199568247797e+09,NULL,'["mail"]','{"object":{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(8,'evt_01a227f158a35a64b554caa88e5b3df3','membership.added','hq','5','sales',1.79596645801902365683e+09,'frontend:groups','["mail","sales"]','{"object":{"id":"5","username":"u05","full_name":"Person 5 of Köln","distinguished_name":null,"emails":[{"address":"u05@example.org","is_verified":true,"is_preferred":true}],"groups":["mail","sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(9,'evt_01a227f158b601187b3d58c87c7bb800','user.created','guests','bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a',NULL,1.79596645803827095026e+09,'frontend:groups','["hq/sales"]','{"object":{"id":"bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a","username":"new@example.org","full_name":"New One","distinguished_name":null,"emails":[{"address":"new@example.org","is_verified":true,"is_preferred":true}],"groups":["hq/sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(10,'evt_01a227f158b6591b9f7aee04eaafe37d','membership.added','guests','bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a','hq/sales',1.79596645803827095026e+09,'frontend:groups','["hq/sales"]','{"object":{"id":"bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a","username":"new@example.org","full_name":"New One","distinguished_name":null,"emails":[{"address":"new@example.org","is_verified":true,"is_preferred":true}],"groups":["hq/sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(11,'evt_01a227f158c8ba9a73ba370e9ed90d7a','ips_connect.register','forum','1',NULL,1.79596645805686044687e+09,NULL,'[]','{"object":{"name":"Eve","email":"eve@example.org","revalidateUrl":""},"changed":{}}');
CREATE TABLE failed_logins (
	mount VARCHAR(100) NOT NULL, 
	username VARCHAR(1024) NOT NULL, 
	caller VARCHAR(64) NOT NULL, 
	password_mac VARCHAR(64) NOT NULL, 
	failed_at FLOAT NOT NULL, 
	CONSTRAINT pk_failed_logins PRIMARY KEY (mount, username, caller, password_mac)
);
INSERT INTO "failed_logins" VALUES('archive','u06','127.0.0.1','ec8fcd6aaeff03159aa9f19e130bf9deb75583d63cf5c6204a2e7b99ea8190fd',1.79596645821689772609e+09);
INSERT INTO "failed_logins" VALUES('archive','u06','127.0.0.1','17e53f16f544bd803d3828058db09fc177a502b24409b7a33e667b8d6e8f9bc5',1.79596645823874378209e+09);
CREATE TABLE frontend_tokens (
	mount VARCHAR(100) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	created_at FLOAT NOT NULL, 
	CONSTRAINT pk_frontend_tokens PRIMARY KEY (mount)
);
INSERT INTO "frontend_tokens" VALUES('groups','2e6b257430cb0a08e154df5285bce13a9ce1b1f404c5efd19b1a110d51d19dd8',1.79596644065102314944e+09);
CREATE TABLE group_identities (
	mount VARCHAR(100) NOT NULL, 
	group_id VARCHAR(120) NOT NULL, 
	folded VARCHAR(120) NOT NULL, 
	backend VARCHAR(100) NOT NULL, 
	name VARCHAR(1024) NOT NULL, 
	CONSTRAINT pk_group_identities PRIMARY KEY (mount, group_id), 
	CONSTRAINT uq_group_identities_mount UNIQUE (mount, folded), 
	CONSTRAINT uq_group_identities_name UNIQUE (mount, backend, name)
);
INSERT INTO "group_identities" VALUES('groups','mail','mail','hq','mail');
INSERT INTO "group_identities" VALUES('groups','sales','sales','hq','sales');
CREATE TABLE held_changes (
	run_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	person_id VARCHAR(1024) NOT NULL, 
	kind VARCHAR(10) NOT NULL, 
	digest BLOB, 
	document TEXT, 
	CONSTRAINT pk_held_changes PRIMARY KEY (run_id, number), 
	CONSTRAINT fk_held_changes_run_id FOREIGN KEY(run_id) REFERENCES held_runs (id) ON DELETE CASCADE
);
INSERT INTO "held_changes" VALUES(1,1,'13','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,2,'14','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,3,'15','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,4,'16','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,5,'17','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,6,'18','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,7,'19','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,8,'20','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,9,'21','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,10,'22','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,11,'23','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,12,'24','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,13,'25','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,14,'26','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,15,'27','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,16,'28','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,17,'29','delete',NULL,NULL);
INSERT INTO "held_changes" VALUES(1,18,'30','delete',NULL,NULL);
CREATE TABLE held_runs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	backend VARCHAR(100) NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	reason TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	start_serial BIGINT NOT NULL, 
	first_at FLOAT NOT NULL, 
	last_at FLOAT NOT NULL, 
	counts TEXT NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	feed_position TEXT, 
	CONSTRAINT uq_held_runs_backend UNIQUE (backend)
);
INSERT INTO "held_runs" VALUES(1,'branch','held','18 of 30 people (60 %) would be deleted. The limit is 20 % and 10','4063e4ef86024caf836a6757ecb06b0b412520ec9e4b9fd0632c12a13e917e92',11,1.7959664590011286735e+09,1.79596646002513480192e+09,'{"created":0,"updated":0,"deleted":18,"due":0,"disabled":0,"regrouped":0}','42e29284228ed18a3637d73901d86a7e94aadf4c27bcdc3e134db5bbcc8d2a8b','["1-b686b8a198d225ad", 565, 1795962858245894908, 1795966458245796238, 2228231]');
CREATE TABLE hourly_counts (
	frontend VARCHAR(100) NOT NULL, 
	hour INTEGER NOT NULL, 
	what VARCHAR(20) NOT NULL, 
	number BIGINT NOT NULL, 
	latest_at FLOAT NOT NULL, 
	CONSTRAINT pk_hourly_counts PRIMARY KEY (frontend, hour, what)
);
CREATE TABLE index_generations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	backend VARCHAR(100) NOT NULL, 
	started_at FLOAT NOT NULL, 
	completed_at FLOAT
);
INSERT INTO "index_generations" VALUES(2,'branch',1.79596645824732780456e+09,1.79596645824930644039e+09);
CREATE TABLE intents (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	backend VARCHAR(100) NOT NULL, 
	person_id VARCHAR(1024), 
	address VARCHAR(1024), 
	origin VARCHAR(120) NOT NULL, 
	created_at FLOAT NOT NULL
);
INSERT INTO "intents" VALUES(3,'hq','5',NULL,'groups',1.79596586408803129191e+09);
CREATE TABLE ips_connect_accounts ( backend VARCHAR(100) NOT NULL, id BIGINT NOT NULL, name VARCHAR(255) NOT NULL, folded_name VARCHAR(1024) NOT NULL, email VARCHAR(320) NOT NULL, folded_email VARCHAR(1024) NOT NULL, full_name TEXT, pass_hash VARCHAR(255) NOT NULL, pass_salt VARCHAR(255) NOT NULL, is_banned BOOLEAN NOT NULL, revalidate_url TEXT NOT NULL, created_at DOUBLE PRECISION NOT NULL, changed_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (backend, id), CONSTRAINT uq_ips_connect_accounts_name UNIQUE (backend, folded_name), CONSTRAINT uq_ips_connect_accounts_email UNIQUE (backend, folded_email));
INSERT INTO "ips_connect_accounts" VALUES('forum',1,'Eve','eve','eve@example.org','eve@example.org',NULL,'$2y$13$oldstoreoldstoreoldstoreoldstoreoldstoreoldstoreabcde','oldstoreoldstoreoldsto',0,'',1.7959664580523211956e+09,1.7959664580523211956e+09);
CREATE TABLE ips_connect_chains ( chain VARCHAR(32) NOT NULL, step INTEGER NOT NULL, ends_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (chain));
CREATE TABLE ips_connect_changes ( backend VARCHAR(100) NOT NULL, account BIGINT NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (backend, account), CONSTRAINT uq_ips_connect_changes_number UNIQUE (backend, number));
INSERT INTO "ips_connect_changes" VALUES('forum',1,1);
CREATE TABLE ips_connect_counters ( backend VARCHAR(100) NOT NULL, last_id BIGINT NOT NULL, last_change BIGINT NOT NULL, PRIMARY KEY (backend));
INSERT INTO "ips_connect_counters" VALUES('forum',1,1);
CREATE TABLE ips_connect_gaps ( backend VARCHAR(100) NOT NULL, account BIGINT NOT NULL, is_banned BOOLEAN NOT NULL, PRIMARY KEY (backend, account));
CREATE TABLE ips_connect_handed_over ( subscription VARCHAR(100) NOT NULL, event VARCHAR(100) NOT NULL, PRIMARY KEY (subscription));
CREATE TABLE ips_connect_keys ( backend VARCHAR(100) NOT NULL, master_key VARCHAR(255) NOT NULL, PRIMARY KEY (backend));
CREATE TABLE ips_connect_links ( backend VARCHAR(100) NOT NULL, source VARCHAR(100) NOT NULL, person_id VARCHAR(1024) NOT NULL, account BIGINT NOT NULL, serial BIGINT NOT NULL DEFAULT 0, name VARCHAR(255) NOT NULL DEFAULT '', email VARCHAR(320) NOT NULL DEFAULT '', is_held BOOLEAN NOT NULL DEFAULT FALSE, is_gone BOOLEAN NOT NULL DEFAULT FALSE, wanted VARCHAR(320) NOT NULL DEFAULT '', PRIMARY KEY (backend, source, person_id), CONSTRAINT uq_ips_connect_links_account UNIQUE (backend, account));
CREATE TABLE ips_connect_masters ( backend VARCHAR(100) NOT NULL, host VARCHAR(255) NOT NULL, registration VARCHAR(64) NOT NULL, PRIMARY KEY (backend));
CREATE TABLE journal_state (
	id INTEGER NOT NULL, 
	last_serial BIGINT NOT NULL, 
	pruned_serial BIGINT NOT NULL, bound_changes BIGINT DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_journal_state PRIMARY KEY (id)
);
INSERT INTO "journal_state" VALUES(1,11,0,1);
CREATE TABLE kept_memberships (
	backend VARCHAR(100) NOT NULL, 
	person_id VARCHAR(1024) NOT NULL, 
	group_backend VARCHAR(100) NOT NULL, 
	group_id VARCHAR(1024) NOT NULL, 
	is_member BOOLEAN NOT NULL, 
	changed_at FLOAT NOT NULL, 
	CONSTRAINT pk_kept_memberships PRIMARY KEY (backend, person_id, group_backend, group_id)
);
INSERT INTO "kept_memberships" VALUES('hq','5','hq','sales',1,1.79596645800317287447e+09);
INSERT INTO "kept_memberships" VALUES('guests','bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a','hq','sales',1,1.79596645803544354433e+09);
CREATE TABLE leases (
	name VARCHAR(200) NOT NULL, 
	owner VARCHAR(100) NOT NULL, 
	fence BIGINT NOT NULL, 
	until FLOAT NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (name)
);
INSERT INTO "leases" VALUES('address/15','8fa936133d845e38',1,0.0);
INSERT INTO "leases" VALUES('address/115','0fd476e7cc98e807',1,0.0);
CREATE TABLE name_index (
	generation INTEGER NOT NULL, 
	username VARCHAR(1024) NOT NULL, 
	entry_id TEXT NOT NULL, 
	CONSTRAINT pk_name_index PRIMARY KEY (generation, username), 
	CONSTRAINT fk_name_index_generation FOREIGN KEY(generation) REFERENCES index_generations (id) ON DELETE CASCADE
);
INSERT INTO "name_index" VALUES(2,'b01.1','1');
INSERT INTO "name_index" VALUES(2,'b02.2','2');
INSERT INTO "name_index" VALUES(2,'b03.3','3');
INSERT INTO "name_index" VALUES(2,'b04.4','4');
INSERT INTO "name_index" VALUES(2,'b05.5','5');
INSERT INTO "name_index" VALUES(2,'b06.6','6');
INSERT INTO "name_index" VALUES(2,'b07.7','7');
INSERT INTO "name_index" VALUES(2,'b08.8','8');
INSERT INTO "name_index" VALUES(2,'b09.9','9');
INSERT INTO "name_index" VALUES(2,'b10.10','10');
INSERT INTO "name_index" VALUES(2,'b11.11','11');
INSERT INTO "name_index" VALUES(2,'b12.12','12');
CREATE TABLE name_lists (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	mount VARCHAR(100) NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	first_at FLOAT NOT NULL, 
	last_at FLOAT NOT NULL, 
	name_count INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	names BLOB NOT NULL, 
	owners TEXT NOT NULL, 
	left_out BLOB NOT NULL, 
	missing_count INTEGER NOT NULL, 
	reason TEXT NOT NULL
);
INSERT INTO "name_lists" VALUES(1,'archive','released',1.7959664377630331516e+09,1.7959664377630331516e+09,30,'620ef7db9d0641a1d225bac5a9f7f73576dfaaf0f1c6b8dd04d094400028b548',X'78010DCA3901C0301003B0423A3B7D81857F3568D39E1C7BCAE2E4E2E6E1E53B76062F5EBC78F1E2C58B17AF5EBD7AF5EAD5AB57AF5EBD353F0450199F','[["hq", 30]]',X'7801030000000001',0,'');
INSERT INTO "name_lists" VALUES(2,'archive','released',1.79596645816424751278e+09,1.79596645816424751278e+09,30,'a9e69c7297d3a7505a2bd10095c7b774f4919bd8dda5e2ddd7417f4b226db67b',X'78010DCAB10180200003304EA245510FE37F3364CB99196796C5C5CDE6E1E51B27132F5EBC78F1E2C58B17AF5EBD7AF5EAD5AB57AF5EBD951F045119A0','[["hq", 30]]',X'7801030000000001',0,'');
INSERT INTO "name_lists" VALUES(3,'branch','released',1.79596645819701957705e+09,1.79596645819701957705e+09,30,'32a7b17202a98b67ecd201063a3f3c4a44ab9f6ff3ea93ba299af613169fc786',X'78010DCEC111C4201003C18B680A096C201DE71FC4CD67F6A5AEFD46C8EF1BA57632ED62D987C7BEBC76B3EDE1D8CBFD7D1964781CBB4E89F34CE23E8B08E4210A79894436D1C82122B944A583AA3454A5FEA0D24955BAA84A1FAAD297AA7453951EAAD24B55E6608E3F50FE2701','[["branch", 30]]',X'7801030000000001',0,'');
INSERT INTO "name_lists" VALUES(4,'branch','held',1.79596645824992561337e+09,1.79596645824992561337e+09,12,'76587b8e4712fb587ff9d1900b3edb6f52eac299c22d53a14674f315b5eae5e0',X'78010DCBB91100200CC4402AD2F80CE669C7FD17C125AB481D42A323493B9976B16C5176B3EDE1D8CBB58F375A81C2F1EC5B89F20322E20E77','[["branch", 12]]',X'7801030000000001',18,'18 of 30 names that were listed before are missing');
CREATE TABLE open_batches (
	id VARCHAR(40) NOT NULL, 
	subscription_id VARCHAR(120) NOT NULL, 
	serials TEXT NOT NULL, 
	is_settled BOOLEAN NOT NULL, 
	created_at FLOAT NOT NULL, 
	CONSTRAINT pk_open_batches PRIMARY KEY (id), 
	CONSTRAINT fk_open_batches_subscription_id FOREIGN KEY(subscription_id) REFERENCES subscriptions (id) ON DELETE CASCADE
);
CREATE TABLE people (
	"key" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	backend VARCHAR(100) NOT NULL, 
	person_id VARCHAR(1024) NOT NULL, 
	digest BLOB NOT NULL, 
	document TEXT NOT NULL, 
	serial BIGINT NOT NULL, 
	gone_at FLOAT, 
	CONSTRAINT uq_people_backend UNIQUE (backend, person_id)
);
INSERT INTO "people" VALUES(1,'branch','1',X'F125E7A6F70F221DCAEEC78936C8C9F6','{"id":"1","username":"b01.1","full_name":"Branch person 1","distinguished_name":null,"emails":[{"address":"b01@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(2,'branch','2',X'6ED1DD06230461CCD8A6F33727669898','{"id":"2","username":"b02.2","full_name":"Branch person 2","distinguished_name":null,"emails":[{"address":"b02@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(3,'branch','3',X'0B6834F651379504B96FC7FB7734F6AB','{"id":"3","username":"b03.3","full_name":"Branch person 3","distinguished_name":null,"emails":[{"address":"b03@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(4,'branch','4',X'E749C68A7481188FF3BF443BA2A2D559','{"id":"4","username":"b04.4","full_name":"Branch person 4","distinguished_name":null,"emails":[{"address":"b04@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(5,'branch','5',X'A83D9094CC5BD4F81562D73632153DA8','{"id":"5","username":"b05.5","full_name":"Branch person 5","distinguished_name":null,"emails":[{"address":"b05@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(6,'branch','6',X'5C3A27AE3CF37D9B33B9936F1ED682A7','{"id":"6","username":"b06.6","full_name":"Branch person 6","distinguished_name":null,"emails":[{"address":"b06@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(7,'branch','7',X'2767A5F81DC36358C3986037BB40B3B5','{"id":"7","username":"b07.7","full_name":"Branch person 7","distinguished_name":null,"emails":[{"address":"b07@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(8,'branch','8',X'8B9A1C1CB0B47ABAD82534D4F9976B87','{"id":"8","username":"b08.8","full_name":"Branch person 8","distinguished_name":null,"emails":[{"address":"b08@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(9,'branch','9',X'5B06C12884BFAFAB7890EB1AE179EA13','{"id":"9","username":"b09.9","full_name":"Branch person 9","distinguished_name":null,"emails":[{"address":"b09@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(10,'branch','10',X'C79E07F87CD26716B1B8A6D0CB2C4335','{"id":"10","username":"b10.10","full_name":"Branch person 10","distinguished_name":null,"emails":[{"address":"b10@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(11,'branch','11',X'043181D52974A0C5860C6F3271F06B6B','{"id":"11","username":"b11.11","full_name":"Branch person 11","distinguished_name":null,"emails":[{"address":"b11@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(12,'branch','12',X'000450C824D9BE4C95A92654AE2649B9','{"id":"12","username":"b12.12","full_name":"Branch person 12","distinguished_name":null,"emails":[{"address":"b12@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(13,'branch','13',X'FE52F090ECB1A4E0CAD358F353442583','{"id":"13","username":"b13.13","full_name":"Branch person 13","distinguished_name":null,"emails":[{"address":"b13@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(14,'branch','14',X'E46726E4BEABA45C21BB04EC85E7BBC9','{"id":"14","username":"b14.14","full_name":"Branch person 14","distinguished_name":null,"emails":[{"address":"b14@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(15,'branch','15',X'D1E78B2F169A723674651B3013EA13D8','{"id":"15","username":"b15.15","full_name":"Branch person 15","distinguished_name":null,"emails":[{"address":"b15@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(16,'branch','16',X'867FD6D9F4C956B0B3F31CF371B25B26','{"id":"16","username":"b16.16","full_name":"Branch person 16","distinguished_name":null,"emails":[{"address":"b16@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(17,'branch','17',X'12653D4316D24DCD15CF03558CCC8226','{"id":"17","username":"b17.17","full_name":"Branch person 17","distinguished_name":null,"emails":[{"address":"b17@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(18,'branch','18',X'C2D65D375AEBC6E284D19CF756E28E15','{"id":"18","username":"b18.18","full_name":"Branch person 18","distinguished_name":null,"emails":[{"address":"b18@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(19,'branch','19',X'D8EEEF3A92BEAD8F47F7B69A73073691','{"id":"19","username":"b19.19","full_name":"Branch person 19","distinguished_name":null,"emails":[{"address":"b19@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(20,'branch','20',X'8238E3DAF863373630AF28B15D3EA4EF','{"id":"20","username":"b20.20","full_name":"Branch person 20","distinguished_name":null,"emails":[{"address":"b20@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(21,'branch','21',X'A78A1675BD1E8E42ED8E03FC408CE548','{"id":"21","username":"b21.21","full_name":"Branch person 21","distinguished_name":null,"emails":[{"address":"b21@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(22,'branch','22',X'3F9768F05EF664679B3591012F283FF5','{"id":"22","username":"b22.22","full_name":"Branch person 22","distinguished_name":null,"emails":[{"address":"b22@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(23,'branch','23',X'CE5F8A4E388A1844CD0730529AFBF613','{"id":"23","username":"b23.23","full_name":"Branch person 23","distinguished_name":null,"emails":[{"address":"b23@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(24,'branch','24',X'676CADE559C0B81C1B23EE34BF06BFF0','{"id":"24","username":"b24.24","full_name":"Branch person 24","distinguished_name":null,"emails":[{"address":"b24@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(25,'branch','25',X'13A64EDE5093F100C2A5620206A891EE','{"id":"25","username":"b25.25","full_name":"Branch person 25","distinguished_name":null,"emails":[{"address":"b25@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(26,'branch','26',X'3B5540162518AE0091585BD7027AC894','{"id":"26","username":"b26.26","full_name":"Branch person 26","distinguished_name":null,"emails":[{"address":"b26@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(27,'branch','27',X'66DF9E3BFFBD14D1FA1514DCA0763268','{"id":"27","username":"b27.27","full_name":"Branch person 27","distinguished_name":null,"emails":[{"address":"b27@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(28,'branch','28',X'3ABEB39A80E26112D2527A52A351E586','{"id":"28","username":"b28.28","full_name":"Branch person 28","distinguished_name":null,"emails":[{"address":"b28@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(29,'branch','29',X'DDB91553C06EBDD6BD8F9F72BC3D1579','{"id":"29","username":"b29.29","full_name":"Branch person 29","distinguished_name":null,"emails":[{"address":"b29@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(30,'branch','30',X'9BD2FC92870DB7A261F3B0B8A29AE54E','{"id":"30","username":"b30.30","full_name":"Branch person 30","distinguished_name":null,"emails":[{"address":"b30@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(31,'hq','1',X'2C4E3FE5814C7F98DFD93B4A39892284','{"id":"1","username":"u01","full_name":"Person 1 of Köln","distinguished_name":null,"emails":[{"address":"u01@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(32,'hq','2',X'DEAC749E907A0F678C00E7308244E447','{"id":"2","username":"u02","full_name":"Person 2 of Köln","distinguished_name":null,"emails":[{"address":"u02@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(33,'hq','3',X'7DA1815139A5D2230B4EE86E491F01C4','{"id":"3","username":"u03","full_name":"Person 3 of Köln","distinguished_name":null,"emails":[{"address":"u03@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(34,'hq','4',X'DCCA029D532110DB333CAAFD40511AAB','{"id":"4","username":"u04","full_name":"Person 4 of Köln","distinguished_name":null,"emails":[{"address":"u04@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(35,'hq','5',X'ACC8BA568F5AC0FD9CA1C9441A048448','{"id":"5","username":"u05","full_name":"Person 5 of Köln","distinguished_name":null,"emails":[{"address":"u05@example.org","is_verified":true,"is_preferred":true}],"groups":["mail","sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',8,NULL);
INSERT INTO "people" VALUES(36,'hq','6',X'C6D69819EF384EAE5B93A374C2B94E55','{"id":"6","username":"u06","full_name":"Person 6 of Köln","distinguished_name":null,"emails":[{"address":"u06@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(37,'hq','7',X'7D54BBFE940036A84EBFC8C6CEA7ADFA','{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',2,NULL);
INSERT INTO "people" VALUES(38,'hq','8',X'E92F94D823413BE0843E4A2469185AE8','{"id":"8","username":"u08","full_name":"Person 8 of Köln","distinguished_name":null,"emails":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',5,NULL);
INSERT INTO "people" VALUES(39,'hq','9',X'B673BC7D0DD7637C9E7E51C6C90C17FE','{"id":"9","username":"u09","full_name":"Person 9 of Köln","distinguished_name":null,"emails":[{"address":"u09@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(40,'hq','10',X'F67CBB32937F91E0E0FD9C0CFBF39634','{"id":"10","username":"u10","full_name":"Person 10 of Köln","distinguished_name":null,"emails":[{"address":"u10@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(41,'hq','11',X'3F85CFFE1B51B310BA1563A2FB137764','{"id":"11","username":"u11","full_name":"Person 11 of Köln","distinguished_name":null,"emails":[{"address":"u11@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(42,'hq','12',X'5B3BEA1A5F0115EAB0FF54C16C53052C','{"id":"12","username":"u12","full_name":"Person 12 of Köln","distinguished_name":null,"emails":[{"address":"u12@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(43,'hq','13',X'551D19888A594FCCF3D32F6D21C7842A','{"id":"13","username":"u13","full_name":"Person 13 of Köln","distinguished_name":null,"emails":[{"address":"u13@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(44,'hq','14',X'222DF6058EC85F4A4FB5F70980B033FF','{"id":"14","username":"u14","full_name":"Person 14 of Köln","distinguished_name":null,"emails":[{"address":"u14@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(45,'hq','15',X'48A8AE760B1F8B3CAB9FD35C4AE7CE10','{"id":"15","username":"u15","full_name":"Person 15 of Köln","distinguished_name":null,"emails":[{"address":"u15@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(46,'hq','16',X'9ADB09B8AE8966402AF16E4A33B9D25D','{"id":"16","username":"u16","full_name":"Person 16 of Köln","distinguished_name":null,"emails":[{"address":"u16@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(47,'hq','17',X'BD744D7D8FBE6F0B2FE8E2A858EA42F2','{"id":"17","username":"u17","full_name":"Person 17 of Köln","distinguished_name":null,"emails":[{"address":"u17@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(48,'hq','18',X'D4B182F03E09D8B4A23BD89A7C7C5224','{"id":"18","username":"u18","full_name":"Person 18 of Köln","distinguished_name":null,"emails":[{"address":"u18@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(49,'hq','19',X'25834E61EC5394E4E30B307F203B3724','{"id":"19","username":"u19","full_name":"Person 19 of Köln","distinguished_name":null,"emails":[{"address":"u19@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(50,'hq','20',X'7B20861F52FA54B6955ACDD62970C755','{"id":"20","username":"u20","full_name":"Person 20 of Köln","distinguished_name":null,"emails":[{"address":"u20@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(51,'hq','21',X'50908D68C426BC47A04E87F9FF584301','{"id":"21","username":"u21","full_name":"Person 21 of Köln","distinguished_name":null,"emails":[{"address":"u21@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(52,'hq','22',X'AAE06FEC096857CF3DE78D0ECF68749E','{"id":"22","username":"u22","full_name":"Person 22 of Köln","distinguished_name":null,"emails":[{"address":"u22@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(53,'hq','23',X'EAD0F5284FCEC378E630F43B015C5D1F','{"id":"23","username":"u23","full_name":"Person 23 of Köln","distinguished_name":null,"emails":[{"address":"u23@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(54,'hq','24',X'A1D41BC3024D0B2DA154CB225C7A464A','{"id":"24","username":"u24","full_name":"Person 24 of Köln","distinguished_name":null,"emails":[{"address":"u24@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(55,'hq','25',X'66D67EA4C9C2B58D13CE6E914F5EFC31','{"id":"25","username":"u25","full_name":"Person 25 of Köln","distinguished_name":null,"emails":[{"address":"u25@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(56,'hq','26',X'2ED694671F23DBCCB5A0AFD21AA66C88','{"id":"26","username":"u26","full_name":"Person 26 of Köln","distinguished_name":null,"emails":[{"address":"u26@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(57,'hq','27',X'88455113F9ED59D5120A19889766BE2C','{"id":"27","username":"u27","full_name":"Person 27 of Köln","distinguished_name":null,"emails":[{"address":"u27@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(58,'hq','28',X'B38669E22C8793C82341DC2A5AD61AAB','{"id":"28","username":"u28","full_name":"Person 28 of Köln","distinguished_name":null,"emails":[{"address":"u28@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(59,'hq','29',X'E7079471C132370F0F721C601BB9F286','{"id":"29","username":"u29","full_name":"Person 29 of Köln","distinguished_name":null,"emails":[{"address":"u29@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(61,'hq','31',X'78BE34944D74F02FC2A331C28255CB23','{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',7,NULL);
INSERT INTO "people" VALUES(62,'guests','bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a',X'312C7CBE81A265DD245E3A8379AC44F2','{"id":"bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a","username":"new@example.org","full_name":"New One","distinguished_name":null,"emails":[{"address":"new@example.org","is_verified":true,"is_preferred":true}],"groups":["hq/sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',10,NULL);
CREATE TABLE plugin_tables (
	name VARCHAR(60) NOT NULL, 
	steps INTEGER NOT NULL, 
	CONSTRAINT pk_plugin_tables PRIMARY KEY (name)
);
INSERT INTO "plugin_tables" VALUES('push',3);
INSERT INTO "plugin_tables" VALUES('accounts',1);
INSERT INTO "plugin_tables" VALUES('ips_connect',6);
CREATE TABLE profile_identities (
	profile_id VARCHAR(22) NOT NULL, 
	backend VARCHAR(100) NOT NULL, 
	person_id VARCHAR(1024) NOT NULL, 
	CONSTRAINT pk_profile_identities PRIMARY KEY (profile_id), 
	CONSTRAINT uq_profile_identities_backend UNIQUE (backend, person_id)
);
INSERT INTO "profile_identities" VALUES('Vci8xxGpvQhbLcWyq6Rl9','hq','5');
INSERT INTO "profile_identities" VALUES('1qSOsEKJjI92EahbTiK5OU','guests','bbe87fd8-f7cc-4ff6-8dd5-a4ea9894f84a');
CREATE TABLE push_agents ( mount VARCHAR(100) NOT NULL, uaid VARCHAR(32) NOT NULL, kick TEXT, seen_at DOUBLE PRECISION NOT NULL, in_flight_until DOUBLE PRECISION NOT NULL, PRIMARY KEY (mount, uaid));
INSERT INTO "push_agents" VALUES('push','e7945595e65848bc8fdea874f1800d53',NULL,1.79596645812993431089e+09,0.0);
CREATE TABLE push_channels ( mount VARCHAR(100) NOT NULL, endpoint VARCHAR(22) NOT NULL, uaid VARCHAR(32) NOT NULL, channel VARCHAR(36) NOT NULL, version BIGINT, sent BIGINT, acknowledged BIGINT, change BIGINT NOT NULL, changed_at DOUBLE PRECISION NOT NULL, removed_at DOUBLE PRECISION, binding VARCHAR(100), PRIMARY KEY (mount, endpoint), CONSTRAINT uq_push_channels_channel UNIQUE (mount, uaid, channel));
INSERT INTO "push_channels" VALUES('push','Zne6rvsLBI_S9CNDUl7NWQ','e7945595e65848bc8fdea874f1800d53','ac806454-74e8-49e5-ace1-68af1bd86484',7,NULL,NULL,1,1.79596645815562272075e+09,NULL,NULL);
INSERT INTO "push_channels" VALUES('push','Bd5-AIVIvle3sfSIe-wCpA','e7945595e65848bc8fdea874f1800d53','739cafc4-a6a9-4597-9030-7ee75dcaae12',NULL,NULL,NULL,0,1.79596645812993431089e+09,NULL,'sub_ff6a81aaeba466d63f1b06c0');
CREATE TABLE push_mounts ( mount VARCHAR(100) NOT NULL, endpoint_key VARCHAR(64) NOT NULL, last_change BIGINT NOT NULL, PRIMARY KEY (mount));
INSERT INTO "push_mounts" VALUES('push','89ca44ab4219c2e250aee5c8ff7e547b822a90607193867946e543d94afd1ee2',1);
CREATE TABLE push_upstream_agents ( mount VARCHAR(100) NOT NULL, uaid VARCHAR(32) NOT NULL, upstream_uaid VARCHAR(32) NOT NULL, linked_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (mount, uaid), CONSTRAINT uq_push_upstream_agents_upstream UNIQUE (mount, upstream_uaid));
CREATE TABLE push_upstream_channels ( mount VARCHAR(100) NOT NULL, uaid VARCHAR(32) NOT NULL, channel VARCHAR(36) NOT NULL, endpoint TEXT, errand VARCHAR(10), PRIMARY KEY (mount, uaid, channel));
CREATE TABLE subscriptions (
	id VARCHAR(120) NOT NULL, 
	owner VARCHAR(40) NOT NULL, 
	uid VARCHAR(200), 
	type VARCHAR(100) NOT NULL, 
	resource TEXT NOT NULL, 
	events TEXT NOT NULL, 
	settings TEXT NOT NULL, 
	secrets TEXT NOT NULL, 
	batch_size INTEGER NOT NULL, 
	rate_per_second FLOAT, 
	is_coalescing BOOLEAN NOT NULL, 
	is_active BOOLEAN NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	state_reason TEXT, 
	created_at FLOAT NOT NULL, 
	changed_at FLOAT NOT NULL, 
	cursor BIGINT NOT NULL, 
	replay_serial BIGINT, 
	replay_key BIGINT, 
	failing_since FLOAT, 
	probes INTEGER NOT NULL, 
	next_probe_at FLOAT, 
	epoch INTEGER NOT NULL, bound_to BIGINT, 
	CONSTRAINT pk_subscriptions PRIMARY KEY (id), 
	CONSTRAINT uq_subscriptions_owner UNIQUE (owner, uid)
);
INSERT INTO "subscriptions" VALUES('sub_config_wiki','config','wiki','webhook','{"kind":"all"}','["*"]','{"url":"http://127.0.0.1:18181/wiki","secret":"whsec_b2xkIHN0b3JlcyBhcmUgb3BlbmVkIGJ5IG5ldyBjb2Rl"}','[]',1,NULL,0,1,'ok',NULL,1.79596643749305129051e+09,1.79596643749305129051e+09,11,NULL,NULL,NULL,0,NULL,0,NULL);
INSERT INTO "subscriptions" VALUES('sub_123b225a93d1e4927971835a','tok_575bc059fd3a86884df54da8','crm','webhook','{"kind":"all"}','["*"]','{"type":"webhook","url":"http://127.0.0.1:18181/crm"}','[{"secret":"whsec_w1IqmOMOSZEba++qbhGB1nfEyU5nA+A5BE0T0IpmCDQ=","until":null}]',1,NULL,0,1,'ok',NULL,1.79596644428861570356e+09,1.79596644428861570356e+09,11,NULL,NULL,NULL,0,NULL,0,NULL);
INSERT INTO "subscriptions" VALUES('sub_ff6a81aaeba466d63f1b06c0','tok_575bc059fd3a86884df54da8','push.739cafc4-a6a9-4597-9030-7ee75dcaae12.Bd5-AIVIvle3sfSIe-wCpA','push','{"kind":"backend","backend":"hq"}','["*"]','{}','[]',1,NULL,0,1,'ok',NULL,1.795966458096165657e+09,1.795966458096165657e+09,11,NULL,NULL,NULL,0,NULL,0,1);
CREATE TABLE tokens (
	id VARCHAR(40) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	scopes TEXT NOT NULL, 
	resources TEXT NOT NULL, 
	created_at FLOAT NOT NULL, 
	expires_at FLOAT, 
	revoked_at FLOAT, 
	used_at FLOAT, 
	CONSTRAINT pk_tokens PRIMARY KEY (id), 
	CONSTRAINT uq_tokens_digest UNIQUE (digest), 
	CONSTRAINT uq_tokens_name UNIQUE (name)
);
INSERT INTO "tokens" VALUES('tok_575bc059fd3a86884df54da8','reader','a4aea68db481087c73517462179668bb1ae288cdba59deb8b467c30dc085c165','["events:read", "subscriptions:write", "sync:admin"]','[{"kind": "all"}]',1.7959664309177646637e+09,NULL,NULL,1.7959664442814195156e+09);
CREATE TABLE watches (
	backend VARCHAR(100) NOT NULL, 
	baseline_at FLOAT, 
	fingerprint VARCHAR(64), 
	feed_position TEXT, 
	scanned_at FLOAT, 
	scan_seconds FLOAT, 
	people_count INTEGER NOT NULL, 
	failed_at FLOAT, 
	failure TEXT, 
	approved_at FLOAT, 
	is_scan_wanted BOOLEAN NOT NULL, 
	CONSTRAINT pk_watches PRIMARY KEY (backend)
);
INSERT INTO "watches" VALUES('guests',1.79596643777964782716e+09,'8de0d1d7176e86d45bfd6adc0362c67b5ed0a797463f6f3e3d8f4520e4a0e6d5',NULL,1.79596644280509877208e+09,1.95393300055002328008e-03,0,NULL,NULL,NULL,0);
INSERT INTO "watches" VALUES('branch',1.79596643779872798922e+09,'42e29284228ed18a3637d73901d86a7e94aadf4c27bcdc3e134db5bbcc8d2a8b','["1-b686b8a198d225ad", 1411, 1795962830382181882, 1795966430382175636, 2228231]',1.79596646002608561513e+09,1.82711300003575161099e-02,30,NULL,NULL,NULL,0);
INSERT INTO "watches" VALUES('hq',1.79596643780160522465e+09,'39ef371be29218a4f6d6b4ee53dda3aa6471c383c0e3250c229cb2c0a4c24849','["1-8d100ad0bee323e9", 4709, 1795962851280851125, 1795966451280777434, 2228230]',1.7959664530526607037e+09,1.26599089999217540025e-02,30,NULL,NULL,NULL,0);
CREATE INDEX ix_failed_logins_failed_at ON failed_logins (failed_at);
CREATE INDEX ix_name_lists_mount_state ON name_lists (mount, state);
CREATE INDEX ix_index_generations_backend ON index_generations (backend);
CREATE INDEX ix_events_noticed_at ON events (noticed_at);
CREATE INDEX ix_events_person ON events (backend, person_id, serial);
CREATE INDEX ix_people_gone ON people (backend, gone_at) WHERE gone_at IS NOT NULL;
CREATE INDEX ix_people_key ON people (backend, "key");
CREATE INDEX ix_attempts_subscription ON attempts (subscription_id, id);
CREATE INDEX ix_deliveries_lane ON deliveries (subscription_id, lane, serial);
CREATE INDEX ix_deliveries_person ON deliveries (backend, person_id);
CREATE INDEX ix_deliveries_state ON deliveries (subscription_id, state, next_at);
CREATE INDEX ix_open_batches_subscription_id ON open_batches (subscription_id);
CREATE INDEX ix_intents_backend ON intents (backend);
CREATE INDEX ix_kept_memberships_group ON kept_memberships (group_backend, group_id);
CREATE INDEX ix_bound_resources_kind ON bound_resources (kind, backend);
CREATE INDEX ix_subscriptions_delivered ON subscriptions (id, changed_at) WHERE bound_to IS NULL;
CREATE INDEX ix_subscriptions_bound ON subscriptions (bound_to) WHERE bound_to IS NOT NULL;
CREATE INDEX ix_subscriptions_channels ON subscriptions (owner, bound_to) WHERE bound_to IS NOT NULL;
CREATE INDEX ix_admin_sessions_admin ON admin_sessions (admin);
CREATE INDEX ix_audit_log_at ON audit_log (at);
CREATE INDEX ix_hourly_counts_hour ON hourly_counts (hour);
CREATE INDEX ix_push_channels_change ON push_channels (mount, change);
CREATE INDEX ix_push_channels_binding ON push_channels (mount, binding) WHERE binding IS NOT NULL;
CREATE INDEX ix_push_upstream_errand ON push_upstream_channels (mount, errand);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('audit_log',6);
INSERT INTO "sqlite_sequence" VALUES('name_lists',4);
INSERT INTO "sqlite_sequence" VALUES('people',62);
INSERT INTO "sqlite_sequence" VALUES('deliveries',2);
INSERT INTO "sqlite_sequence" VALUES('attempts',20);
INSERT INTO "sqlite_sequence" VALUES('intents',3);
INSERT INTO "sqlite_sequence" VALUES('bound_resources',1);
INSERT INTO "sqlite_sequence" VALUES('index_generations',2);
INSERT INTO "sqlite_sequence" VALUES('held_runs',1);
COMMIT;
