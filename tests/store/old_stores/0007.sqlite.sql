BEGIN TRANSACTION;
CREATE TABLE accounts ( backend VARCHAR(100) NOT NULL, id VARCHAR(36) NOT NULL, email VARCHAR(1024) NOT NULL, folded VARCHAR(1024) NOT NULL, full_name TEXT NOT NULL, biography TEXT, tz TEXT, created_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (backend, id), CONSTRAINT uq_accounts_folded UNIQUE (backend, folded));
INSERT INTO "accounts" VALUES('guests','2aa13107-b108-403c-8f57-5b5014998330','new@example.org','new@example.org','New One',NULL,NULL,1.79596652638843441015e+09);
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
INSERT INTO "admins" VALUES('olga','$argon2id$v=19$m=19456,t=2,p=1$1TMLO7mU2yQZAW+6ZwCOyA$r1cVhWQDeCNuRoclJEiALBlVkWnSBGcBRGdb3RUedHE',1.79596650751260900492e+09,1.79596650751260900492e+09);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0007');
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
INSERT INTO "attempts" VALUES(1,'sub_config_wiki','evt_01a227f23bf845b7718e0a87456cc5eb',1,1,'7',1.79596651623225498197e+09,9.39392800046334741637e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(2,'sub_722300f5afbe3de15a9046d6','evt_01a227f23bf845b7718e0a87456cc5eb',1,1,'7',1.79596651623310303688e+09,0.00807826400068734,0,500,'http://127.0.0.1:18181 answers with status 500','');
INSERT INTO "attempts" VALUES(3,'sub_config_wiki','evt_01a227f243e932903e41ec386f96ffe2',2,1,'7',1.79596651825980186461e+09,1.31688700002996483817e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(4,'sub_722300f5afbe3de15a9046d6','evt_01a227f23bf845b7718e0a87456cc5eb',1,1,'7',1.79596652123000216486e+09,1.29293100053473608568e-03,0,500,'http://127.0.0.1:18181 answers with status 500','');
INSERT INTO "attempts" VALUES(5,'sub_config_wiki','evt_01a227f24fe642027fa97708880b29f6',5,1,'8',1.79596652132213354105e+09,1.1659990004773135297e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(6,'sub_config_wiki','evt_01a227f24fe6841ed04221945795e107',6,1,'31',1.79596652132296442979e+09,1.16090599931339966133e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(7,'sub_config_wiki','evt_01a227f24fe682d5c6bcc88d23373866',7,1,'31',1.7959665213247659206e+09,4.31677000051422510296e-04,1,200,NULL,'');
INSERT INTO "attempts" VALUES(8,'sub_config_wiki','evt_01a227f24fe604ed939f3f618220eec7',3,1,'30',1.7959665213211069107e+09,4.7859070000413339585e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(9,'sub_config_wiki','evt_01a227f24fe68ad29b081654ee1ce11f',4,1,'30',1.79596652132592821118e+09,0.00289825900017604,1,200,NULL,'');
INSERT INTO "attempts" VALUES(10,'sub_722300f5afbe3de15a9046d6','evt_01a227f24fe604ed939f3f618220eec7',3,1,'30',1.79596652132138848308e+09,1.46252499962429283186e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(11,'sub_722300f5afbe3de15a9046d6','evt_01a227f24fe68ad29b081654ee1ce11f',4,1,'30',1.79596652132382392881e+09,1.97270100034074857831e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(12,'sub_722300f5afbe3de15a9046d6','evt_01a227f24fe6841ed04221945795e107',6,1,'31',1.79596652132454943657e+09,1.66785400051594479009e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(13,'sub_722300f5afbe3de15a9046d6','evt_01a227f24fe642027fa97708880b29f6',5,1,'8',1.79596652132429766652e+09,3.90031300048576667904e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(14,'sub_722300f5afbe3de15a9046d6','evt_01a227f24fe682d5c6bcc88d23373866',7,1,'31',1.79596652132625412938e+09,2.32295600017096148803e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(15,'sub_config_wiki','evt_01a227f263a9854de44e66c98e03ef62',8,1,'5',1.79596652637978434563e+09,6.26016500063997227698e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(16,'sub_722300f5afbe3de15a9046d6','evt_01a227f263a9854de44e66c98e03ef62',8,1,'5',1.79596652638007044794e+09,3.74147500042454339563e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(17,'sub_config_wiki','evt_01a227f263ba92df62bb435d5bac6175',9,1,'2aa13107-b108-403c-8f57-5b5014998330',1.79596652639621591571e+09,2.53379300011147279292e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(18,'sub_config_wiki','evt_01a227f263ba384edd1290d71a3b37f8',10,1,'2aa13107-b108-403c-8f57-5b5014998330',1.79596652639882659908e+09,4.56298799963406054303e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(19,'sub_722300f5afbe3de15a9046d6','evt_01a227f263ba92df62bb435d5bac6175',9,1,'2aa13107-b108-403c-8f57-5b5014998330',1.79596652639701962472e+09,2.35874899954069405794e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(20,'sub_722300f5afbe3de15a9046d6','evt_01a227f263ba384edd1290d71a3b37f8',10,1,'2aa13107-b108-403c-8f57-5b5014998330',1.79596652639942741397e+09,6.57520799995836568996e-03,1,200,NULL,'');
CREATE TABLE audit_log (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at FLOAT NOT NULL, 
	action VARCHAR(100) NOT NULL, 
	subject VARCHAR(1200) NOT NULL, 
	actor VARCHAR(200), 
	details TEXT NOT NULL
);
INSERT INTO "audit_log" VALUES(1,1.795966506392210722e+09,'token.created','reader','command line','{"id": "tok_f672dd167019645af2beee38", "name": "reader", "state": "live", "scopes": ["events:read", "subscriptions:write", "sync:admin"], "resources": [{"kind": "all"}], "created_at": "2026-11-29T15:35:05Z", "expires_at": null, "revoked_at": null, "used_at": null}');
INSERT INTO "audit_log" VALUES(2,1.79596650873975586886e+09,'admin.created','olga','command line','{}');
INSERT INTO "audit_log" VALUES(3,1.79596651276683259013e+09,'token.rotated','groups','command line','{}');
INSERT INTO "audit_log" VALUES(4,1.79596651530728673934e+09,'subscription.created','sub_722300f5afbe3de15a9046d6','token:reader','{"token": "reader", "uid": "crm", "resource": "all", "host": "http://127.0.0.1:18181"}');
INSERT INTO "audit_log" VALUES(5,1.79596652646106863015e+09,'subscription.created','sub_f42789395fc418dcda7eb91b',NULL,'{"token": "reader", "uid": "push.af911bca-1aee-471a-bb63-c83e996ed0cc.Qro4XZ5x7U3FCqc1GnaWUA", "resource": "hq", "host": null}');
INSERT INTO "audit_log" VALUES(6,1.79596652729716157919e+09,'sync.held','branch',NULL,'{"run": 1, "reason": "18 of 30 people (60 %) would be deleted. The limit is 20 % and 10", "counts": {"created": 0, "updated": 0, "deleted": 18, "due": 0, "disabled": 0, "regrouped": 0}}');
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
INSERT INTO "deliveries" VALUES(1,'sub_722300f5afbe3de15a9046d6',1,'hq/7','evt_01a227f23bf845b7718e0a87456cc5eb','user.updated','hq','7','parked',2,1.79596681854404735569e+09,'http://127.0.0.1:18181 answers with status 500',500,1.79596651628249359133e+09,1.79596652127923512459e+09);
INSERT INTO "deliveries" VALUES(2,'sub_722300f5afbe3de15a9046d6',2,'hq/7','evt_01a227f243e932903e41ec386f96ffe2','user.updated','hq','7','held',0,NULL,NULL,NULL,1.79596651831055855756e+09,1.79596651831055855756e+09);
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
INSERT INTO "events" VALUES(1,'evt_01a227f23bf845b7718e0a87456cc5eb','user.updated','hq','7',NULL,1.79596651621610307698e+09,NULL,'["mail"]','{"object":{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"u07@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"full_name":{"old":"Person 7 of Köln","new":"Renamed Seven"}}}');
INSERT INTO "events" VALUES(2,'evt_01a227f243e932903e41ec386f96ffe2','user.updated','hq','7',NULL,1.79596651824919486045e+09,NULL,'["mail"]','{"object":{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"emails":{"old":[{"address":"u07@example.org","is_verified":true,"is_preferred":true}],"new":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}]}}}');
INSERT INTO "events" VALUES(3,'evt_01a227f24fe604ed939f3f618220eec7','membership.removed','hq','30','sales',1.79596652131890654568e+09,NULL,'["sales"]','{"object":null,"before":{"id":"30","username":"u30","full_name":"Person 30 of Köln","distinguished_name":null,"emails":[{"address":"u30@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(4,'evt_01a227f24fe68ad29b081654ee1ce11f','user.deleted','hq','30',NULL,1.79596652131890654568e+09,NULL,'["sales"]','{"object":null,"before":{"id":"30","username":"u30","full_name":"Person 30 of Köln","distinguished_name":null,"emails":[{"address":"u30@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(5,'evt_01a227f24fe642027fa97708880b29f6','user.updated','hq','8',NULL,1.79596652131890654568e+09,NULL,'["sales"]','{"object":{"id":"8","username":"u08","full_name":"Person 8 of Köln","distinguished_name":null,"emails":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"emails":{"old":[{"address":"u08@example.org","is_verified":true,"is_preferred":true}],"new":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}]}}}');
INSERT INTO "events" VALUES(6,'evt_01a227f24fe6841ed04221945795e107','user.created','hq','31',NULL,1.79596652131890654568e+09,NULL,'["mail"]','{"object":{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(7,'evt_01a227f24fe682d5c6bcc88d23373866','membership.added','hq','31','mail',1.79596652131890654568e+09,NULL,'["mail"]','{"object":{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(8,'evt_01a227f263a9854de44e66c98e03ef62','membership.added','hq','5','sales',1.79596652637749099731e+09,'frontend:groups','["mail","sales"]','{"object":{"id":"5","username":"u05","full_name":"Person 5 of Köln","distinguished_name":null,"emails":[{"address":"u05@example.org","is_verified":true,"is_preferred":true}],"groups":["mail","sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(9,'evt_01a227f263ba92df62bb435d5bac6175','user.created','guests','2aa13107-b108-403c-8f57-5b5014998330',NULL,1.79596652639455938338e+09,'frontend:groups','["hq/sales"]','{"object":{"id":"2aa13107-b108-403c-8f57-5b5014998330","username":"new@example.org","full_name":"New One","distinguished_name":null,"emails":[{"address":"new@example.org","is_verified":true,"is_preferred":true}],"groups":["hq/sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(10,'evt_01a227f263ba384edd1290d71a3b37f8','membership.added','guests','2aa13107-b108-403c-8f57-5b5014998330','hq/sales',1.79596652639455938338e+09,'frontend:groups','["hq/sales"]','{"object":{"id":"2aa13107-b108-403c-8f57-5b5014998330","username":"new@example.org","full_name":"New One","distinguished_name":null,"emails":[{"address":"new@example.org","is_verified":true,"is_preferred":true}],"groups":["hq/sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(11,'evt_01a227f263d1f92318ee87b964e661c4','ips_connect.register','forum','1',NULL,1.79596652641747117043e+09,NULL,'[]','{"object":{"name":"Eve","email":"eve@example.org","revalidateUrl":""},"changed":{}}');
CREATE TABLE failed_logins (
	mount VARCHAR(100) NOT NULL, 
	username VARCHAR(1024) NOT NULL, 
	caller VARCHAR(64) NOT NULL, 
	password_mac VARCHAR(64) NOT NULL, 
	failed_at FLOAT NOT NULL, 
	CONSTRAINT pk_failed_logins PRIMARY KEY (mount, username, caller, password_mac)
);
INSERT INTO "failed_logins" VALUES('archive','u06','127.0.0.1','c61344d56c92ebf23c42f4f81c65ccd5d9f306499ba69695c584aaab809b748d',1.79596652651709055899e+09);
INSERT INTO "failed_logins" VALUES('archive','u06','127.0.0.1','23292ddc7083c02ea0c10284cdc63ab51f4139cfb157f943a2f8a1e0cc2f206b',1.79596652652328920359e+09);
CREATE TABLE frontend_tokens (
	mount VARCHAR(100) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	created_at FLOAT NOT NULL, 
	CONSTRAINT pk_frontend_tokens PRIMARY KEY (mount)
);
INSERT INTO "frontend_tokens" VALUES('groups','9e76065cb916c7a14ed5f98c47a3e102bbbacf5d2132650f476686eac2e2e7d0',1.79596651276524519919e+09);
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
CREATE TABLE guard_lifts (
	kind VARCHAR(10) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	actor VARCHAR(200) NOT NULL, 
	lifted_at FLOAT NOT NULL, 
	until FLOAT NOT NULL, 
	CONSTRAINT pk_guard_lifts PRIMARY KEY (kind, name)
);
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
INSERT INTO "held_runs" VALUES(1,'branch','held','18 of 30 people (60 %) would be deleted. The limit is 20 % and 10','4063e4ef86024caf836a6757ecb06b0b412520ec9e4b9fd0632c12a13e917e92',11,1.79596652729481649399e+09,1.79596652830391144755e+09,'{"created":0,"updated":0,"deleted":18,"due":0,"disabled":0,"regrouped":0}','42e29284228ed18a3637d73901d86a7e94aadf4c27bcdc3e134db5bbcc8d2a8b','["1-35e7d4e0e226f23c", 565, 1795962926526033401, 1795966526525955535, 2230419]');
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
INSERT INTO "index_generations" VALUES(2,'branch',1.79596652652717518813e+09,1.79596652652889418599e+09);
CREATE TABLE intents (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	backend VARCHAR(100) NOT NULL, 
	person_id VARCHAR(1024), 
	address VARCHAR(1024), 
	origin VARCHAR(120) NOT NULL, 
	created_at FLOAT NOT NULL
);
INSERT INTO "intents" VALUES(3,'hq','5',NULL,'groups',1.79596593195821833607e+09);
CREATE TABLE ips_connect_accounts ( backend VARCHAR(100) NOT NULL, id BIGINT NOT NULL, name VARCHAR(255) NOT NULL, folded_name VARCHAR(1024) NOT NULL, email VARCHAR(320) NOT NULL, folded_email VARCHAR(1024) NOT NULL, full_name TEXT, pass_hash VARCHAR(255) NOT NULL, pass_salt VARCHAR(255) NOT NULL, is_banned BOOLEAN NOT NULL, revalidate_url TEXT NOT NULL, created_at DOUBLE PRECISION NOT NULL, changed_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (backend, id), CONSTRAINT uq_ips_connect_accounts_name UNIQUE (backend, folded_name), CONSTRAINT uq_ips_connect_accounts_email UNIQUE (backend, folded_email));
INSERT INTO "ips_connect_accounts" VALUES('forum',1,'Eve','eve','eve@example.org','eve@example.org',NULL,'$2y$13$oldstoreoldstoreoldstoreoldstoreoldstoreoldstoreabcde','oldstoreoldstoreoldsto',0,'',1.79596652641432714459e+09,1.79596652641432714459e+09);
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
INSERT INTO "kept_memberships" VALUES('hq','5','hq','sales',1,1.79596652637609076504e+09);
INSERT INTO "kept_memberships" VALUES('guests','2aa13107-b108-403c-8f57-5b5014998330','hq','sales',1,1.79596652638962030407e+09);
CREATE TABLE leases (
	name VARCHAR(200) NOT NULL, 
	owner VARCHAR(100) NOT NULL, 
	fence BIGINT NOT NULL, 
	until FLOAT NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (name)
);
INSERT INTO "leases" VALUES('address/15','a7a2ef3e431ecfeb',1,0.0);
INSERT INTO "leases" VALUES('address/115','0a21f341a86d2a76',1,0.0);
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
INSERT INTO "name_lists" VALUES(1,'archive','released',1.79596651113536620136e+09,1.79596651113536620136e+09,30,'620ef7db9d0641a1d225bac5a9f7f73576dfaaf0f1c6b8dd04d094400028b548',X'78010DCA3901C0301003B0423A3B7D81857F3568D39E1C7BCAE2E4E2E6E1E53B76062F5EBC78F1E2C58B17AF5EBD7AF5EAD5AB57AF5EBD353F0450199F','[["hq", 30]]',X'7801030000000001',0,'');
INSERT INTO "name_lists" VALUES(2,'archive','released',1.79596652649663376805e+09,1.79596652649663376805e+09,30,'a9e69c7297d3a7505a2bd10095c7b774f4919bd8dda5e2ddd7417f4b226db67b',X'78010DCAB10180200003304EA245510FE37F3364CB99196796C5C5CDE6E1E51B27132F5EBC78F1E2C58B17AF5EBD7AF5EAD5AB57AF5EBD951F045119A0','[["hq", 30]]',X'7801030000000001',0,'');
INSERT INTO "name_lists" VALUES(3,'branch','released',1.79596652650599193567e+09,1.79596652650599193567e+09,30,'32a7b17202a98b67ecd201063a3f3c4a44ab9f6ff3ea93ba299af613169fc786',X'78010DCEC111C4201003C18B680A096C201DE71FC4CD67F6A5AEFD46C8EF1BA57632ED62D987C7BEBC76B3EDE1D8CBFD7D1964781CBB4E89F34CE23E8B08E4210A79894436D1C82122B944A583AA3454A5FEA0D24955BAA84A1FAAD297AA7453951EAAD24B55E6608E3F50FE2701','[["branch", 30]]',X'7801030000000001',0,'');
INSERT INTO "name_lists" VALUES(4,'branch','held',1.79596652652939105035e+09,1.79596652652939105035e+09,12,'76587b8e4712fb587ff9d1900b3edb6f52eac299c22d53a14674f315b5eae5e0',X'78010DCBB91100200CC4402AD2F80CE669C7FD17C125AB481D42A323493B9976B16C5176B3EDE1D8CBB58F375A81C2F1EC5B89F20322E20E77','[["branch", 12]]',X'7801030000000001',18,'18 of 30 names that were listed before are missing');
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
INSERT INTO "people" VALUES(62,'guests','2aa13107-b108-403c-8f57-5b5014998330',X'312C7CBE81A265DD245E3A8379AC44F2','{"id":"2aa13107-b108-403c-8f57-5b5014998330","username":"new@example.org","full_name":"New One","distinguished_name":null,"emails":[{"address":"new@example.org","is_verified":true,"is_preferred":true}],"groups":["hq/sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',10,NULL);
CREATE TABLE plugin_tables (
	name VARCHAR(60) NOT NULL, 
	steps INTEGER NOT NULL, 
	CONSTRAINT pk_plugin_tables PRIMARY KEY (name)
);
INSERT INTO "plugin_tables" VALUES('accounts',1);
INSERT INTO "plugin_tables" VALUES('push',3);
INSERT INTO "plugin_tables" VALUES('ips_connect',6);
CREATE TABLE profile_identities (
	profile_id VARCHAR(22) NOT NULL, 
	backend VARCHAR(100) NOT NULL, 
	person_id VARCHAR(1024) NOT NULL, 
	CONSTRAINT pk_profile_identities PRIMARY KEY (profile_id), 
	CONSTRAINT uq_profile_identities_backend UNIQUE (backend, person_id)
);
INSERT INTO "profile_identities" VALUES('1xmQfnb69DRxQS0iIBX5Qf','hq','5');
INSERT INTO "profile_identities" VALUES('7xePFe7cuFWIMKHqKhxvwg','guests','2aa13107-b108-403c-8f57-5b5014998330');
CREATE TABLE push_agents ( mount VARCHAR(100) NOT NULL, uaid VARCHAR(32) NOT NULL, kick TEXT, seen_at DOUBLE PRECISION NOT NULL, in_flight_until DOUBLE PRECISION NOT NULL, PRIMARY KEY (mount, uaid));
INSERT INTO "push_agents" VALUES('push','3c2b6ffe65524dc197bc489d54565dbc',NULL,1.79596652646134734157e+09,0.0);
CREATE TABLE push_channels ( mount VARCHAR(100) NOT NULL, endpoint VARCHAR(22) NOT NULL, uaid VARCHAR(32) NOT NULL, channel VARCHAR(36) NOT NULL, version BIGINT, sent BIGINT, acknowledged BIGINT, change BIGINT NOT NULL, changed_at DOUBLE PRECISION NOT NULL, removed_at DOUBLE PRECISION, binding VARCHAR(100), PRIMARY KEY (mount, endpoint), CONSTRAINT uq_push_channels_channel UNIQUE (mount, uaid, channel));
INSERT INTO "push_channels" VALUES('push','IegEPtf_MgWv_HjiOaL-kw','3c2b6ffe65524dc197bc489d54565dbc','889775f0-baae-43bf-a4e7-c9cd295c2ed1',7,NULL,NULL,1,1.7959665264861705303e+09,NULL,NULL);
INSERT INTO "push_channels" VALUES('push','Qro4XZ5x7U3FCqc1GnaWUA','3c2b6ffe65524dc197bc489d54565dbc','af911bca-1aee-471a-bb63-c83e996ed0cc',NULL,NULL,NULL,0,1.79596652646134734157e+09,NULL,'sub_f42789395fc418dcda7eb91b');
CREATE TABLE push_mounts ( mount VARCHAR(100) NOT NULL, endpoint_key VARCHAR(64) NOT NULL, last_change BIGINT NOT NULL, PRIMARY KEY (mount));
INSERT INTO "push_mounts" VALUES('push','01c460506388024aed588c22d16c8f8b16bdc540a5f21663139779097e608142',1);
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
INSERT INTO "subscriptions" VALUES('sub_config_wiki','config','wiki','webhook','{"kind":"all"}','["*"]','{"url":"http://127.0.0.1:18181/wiki","secret":"whsec_b2xkIHN0b3JlcyBhcmUgb3BlbmVkIGJ5IG5ldyBjb2Rl"}','[]',1,NULL,0,1,'ok',NULL,1.79596651100523948671e+09,1.79596651100523948671e+09,11,NULL,NULL,NULL,0,NULL,0,NULL);
INSERT INTO "subscriptions" VALUES('sub_722300f5afbe3de15a9046d6','tok_f672dd167019645af2beee38','crm','webhook','{"kind":"all"}','["*"]','{"type":"webhook","url":"http://127.0.0.1:18181/crm"}','[{"secret":"whsec_r0zJBjmkdxNyy0f5BWugCzQeTuaI2kFY0TeTezYSTS0=","until":null}]',1,NULL,0,1,'ok',NULL,1.79596651530664539334e+09,1.79596651530664539334e+09,11,NULL,NULL,NULL,0,NULL,0,NULL);
INSERT INTO "subscriptions" VALUES('sub_f42789395fc418dcda7eb91b','tok_f672dd167019645af2beee38','push.af911bca-1aee-471a-bb63-c83e996ed0cc.Qro4XZ5x7U3FCqc1GnaWUA','push','{"kind":"backend","backend":"hq"}','["*"]','{}','[]',1,NULL,0,1,'ok',NULL,1.79596652645870614051e+09,1.79596652645870614051e+09,11,NULL,NULL,NULL,0,NULL,0,1);
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
INSERT INTO "tokens" VALUES('tok_f672dd167019645af2beee38','reader','c39a34438ad4603316b1705b8f7bb333450169f0f754de1acb25398785362232','["events:read", "subscriptions:write", "sync:admin"]','[{"kind": "all"}]',1.79596650541506433484e+09,NULL,NULL,1.79596651529980754847e+09);
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
INSERT INTO "watches" VALUES('guests',1.79596651114622712138e+09,'8de0d1d7176e86d45bfd6adc0362c67b5ed0a797463f6f3e3d8f4520e4a0e6d5',NULL,1.79596651415411734582e+09,2.20036200062168063595e-03,0,NULL,NULL,NULL,0);
INSERT INTO "watches" VALUES('branch',1.79596651115012121207e+09,'42e29284228ed18a3637d73901d86a7e94aadf4c27bcdc3e134db5bbcc8d2a8b','["1-35e7d4e0e226f23c", 1411, 1795962904323150873, 1795966504323143812, 2230419]',1.79596652830468320842e+09,0.00568720499995834,30,NULL,NULL,NULL,0);
INSERT INTO "watches" VALUES('hq',1.79596651115916585922e+09,'39ef371be29218a4f6d6b4ee53dda3aa6471c383c0e3250c229cb2c0a4c24849','["1-220072d3db8782dd", 4709, 1795962921162087917, 1795966521162026270, 2230418]',1.7959665223556268215e+09,3.29624129999501747079e-02,30,NULL,NULL,NULL,0);
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
