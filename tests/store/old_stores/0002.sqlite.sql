BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
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
INSERT INTO "attempts" VALUES(1,'sub_config_wiki','evt_01a227c1f28d338cb4bfcf146a8629d1',1,1,'7',1.79596335169638299938e+09,2.24359800017737143207e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(2,'sub_fd3eb21aedb4130d2303ad95','evt_01a227c1f28d338cb4bfcf146a8629d1',1,1,'7',1.79596335169666051862e+09,5.67864200002077268436e-03,0,500,'http://127.0.0.1:18181 answers with status 500','');
INSERT INTO "attempts" VALUES(3,'sub_config_wiki','evt_01a227c1f67ce7da0904ea994a1886c5',2,1,'7',1.79596335270379662508e+09,1.28092299996751535218e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(4,'sub_config_wiki','evt_01a227c1fa79516d51d01c7bddbd565f',3,1,'30',1.79596335372661828995e+09,7.22448199985592509619e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(5,'sub_config_wiki','evt_01a227c1fa7948094649daa5626ad12e',5,1,'8',1.795963353733984232e+09,4.50238700000227254349e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(6,'sub_config_wiki','evt_01a227c1fa79e7eb04a84ce66009ff5e',4,1,'30',1.7959633537346401215e+09,7.69332599998051591683e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(7,'sub_config_wiki','evt_01a227c1fa79569611ccc42ed2810bb1',6,1,'31',1.79596335373483252523e+09,7.96792799997092515695e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(8,'sub_config_wiki','evt_01a227c1fa7914d58af91b158d0856b3',7,1,'31',1.79596335374283623694e+09,4.04409900011160061694e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(9,'sub_fd3eb21aedb4130d2303ad95','evt_01a227c1fa79516d51d01c7bddbd565f',3,1,'30',1.79596335372731542587e+09,1.07871899990641395561e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(10,'sub_fd3eb21aedb4130d2303ad95','evt_01a227c1fa79e7eb04a84ce66009ff5e',4,1,'30',1.79596335373438739779e+09,4.56792499994662648532e-03,1,200,NULL,'');
INSERT INTO "attempts" VALUES(11,'sub_fd3eb21aedb4130d2303ad95','evt_01a227c1fa7948094649daa5626ad12e',5,1,'8',1.79596335373497080802e+09,1.12513560000024881446e-02,1,200,NULL,'');
INSERT INTO "attempts" VALUES(12,'sub_fd3eb21aedb4130d2303ad95','evt_01a227c1fa79569611ccc42ed2810bb1',6,1,'31',1.7959633537350850105e+09,1.14950320000843930756e-02,1,200,NULL,'');
INSERT INTO "attempts" VALUES(13,'sub_fd3eb21aedb4130d2303ad95','evt_01a227c1fa7914d58af91b158d0856b3',7,1,'31',1.79596335374661278719e+09,4.79990000030738883651e-04,1,200,NULL,'');
INSERT INTO "attempts" VALUES(14,'sub_fd3eb21aedb4130d2303ad95','evt_01a227c1f28d338cb4bfcf146a8629d1',1,1,'7',1.7959633567225906849e+09,1.79342600017662334721e-03,0,500,'http://127.0.0.1:18181 answers with status 500','');
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
INSERT INTO "deliveries" VALUES(1,'sub_fd3eb21aedb4130d2303ad95',1,'hq/7','evt_01a227c1f28d338cb4bfcf146a8629d1','user.updated','hq','7','parked',2,1.79596365182226157188e+09,'http://127.0.0.1:18181 answers with status 500',500,1.79596335174658274652e+09,1.79596335677213215825e+09);
INSERT INTO "deliveries" VALUES(2,'sub_fd3eb21aedb4130d2303ad95',2,'hq/7','evt_01a227c1f67ce7da0904ea994a1886c5','user.updated','hq','7','held',0,NULL,NULL,NULL,1.79596335275389981265e+09,1.79596335275389981265e+09);
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
INSERT INTO "events" VALUES(1,'evt_01a227c1f28d338cb4bfcf146a8629d1','user.updated','hq','7',NULL,1.79596335169333100323e+09,NULL,'["mail"]','{"object":{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"u07@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"full_name":{"old":"Person 7 of Köln","new":"Renamed Seven"}}}');
INSERT INTO "events" VALUES(2,'evt_01a227c1f67ce7da0904ea994a1886c5','user.updated','hq','7',NULL,1.79596335270094299317e+09,NULL,'["mail"]','{"object":{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"emails":{"old":[{"address":"u07@example.org","is_verified":true,"is_preferred":true}],"new":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}]}}}');
INSERT INTO "events" VALUES(3,'evt_01a227c1fa79516d51d01c7bddbd565f','membership.removed','hq','30','sales',1.79596335372113800055e+09,NULL,'["sales"]','{"object":null,"before":{"id":"30","username":"u30","full_name":"Person 30 of Köln","distinguished_name":null,"emails":[{"address":"u30@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(4,'evt_01a227c1fa79e7eb04a84ce66009ff5e','user.deleted','hq','30',NULL,1.79596335372113800055e+09,NULL,'["sales"]','{"object":null,"before":{"id":"30","username":"u30","full_name":"Person 30 of Köln","distinguished_name":null,"emails":[{"address":"u30@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(5,'evt_01a227c1fa7948094649daa5626ad12e','user.updated','hq','8',NULL,1.79596335372113800055e+09,NULL,'["sales"]','{"object":{"id":"8","username":"u08","full_name":"Person 8 of Köln","distinguished_name":null,"emails":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"emails":{"old":[{"address":"u08@example.org","is_verified":true,"is_preferred":true}],"new":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}]}}}');
INSERT INTO "events" VALUES(6,'evt_01a227c1fa79569611ccc42ed2810bb1','user.created','hq','31',NULL,1.79596335372113800055e+09,NULL,'["mail"]','{"object":{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO "events" VALUES(7,'evt_01a227c1fa7914d58af91b158d0856b3','membership.added','hq','31','mail',1.79596335372113800055e+09,NULL,'["mail"]','{"object":{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
CREATE TABLE failed_logins (
	mount VARCHAR(100) NOT NULL, 
	username VARCHAR(1024) NOT NULL, 
	caller VARCHAR(64) NOT NULL, 
	password_mac VARCHAR(64) NOT NULL, 
	failed_at FLOAT NOT NULL, 
	CONSTRAINT pk_failed_logins PRIMARY KEY (mount, username, caller, password_mac)
);
INSERT INTO "failed_logins" VALUES('archive','u06','127.0.0.1','2431ae8b27ac39d11f095a7318573115cd0f4857ce0acd2959b07dcb33972739',1.79596335579616069792e+09);
INSERT INTO "failed_logins" VALUES('archive','u06','127.0.0.1','a8cf871fade49bbfb615e830cf7562051b9056325f273499b4884ede4af634c7',1.79596335580310177801e+09);
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
INSERT INTO "held_runs" VALUES(1,'branch','held','18 of 30 people (60 %) would be deleted. The limit is 20 % and 10','49e0931352948d06b27bbfd69da78cd0e753cabb361ff81613375d30e22a9947',7,1.7959633567188880444e+09,1.7959633567188880444e+09,'{"created":0,"updated":0,"deleted":18,"due":0,"disabled":0,"regrouped":0}','a6d6b4f2b2f0bdc5244fff690469dc2658bd84efa2def3e4fe787eb02522aa80','["1-8a6aa096580b3ff5", 565, 1795959755804556608, 1795963355804473145, 2216547]');
CREATE TABLE index_generations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	backend VARCHAR(100) NOT NULL, 
	started_at FLOAT NOT NULL, 
	completed_at FLOAT
);
INSERT INTO "index_generations" VALUES(2,'branch',1.79596335580673217768e+09,1.79596335580911779404e+09);
CREATE TABLE journal_state (
	id INTEGER NOT NULL, 
	last_serial BIGINT NOT NULL, 
	pruned_serial BIGINT NOT NULL, 
	CONSTRAINT pk_journal_state PRIMARY KEY (id)
);
INSERT INTO "journal_state" VALUES(1,7,0);
CREATE TABLE leases (
	name VARCHAR(200) NOT NULL, 
	owner VARCHAR(100) NOT NULL, 
	fence BIGINT NOT NULL, 
	until FLOAT NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (name)
);
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
INSERT INTO "name_lists" VALUES(1,'archive','released',1.79596335069237518318e+09,1.79596335069237518318e+09,30,'620ef7db9d0641a1d225bac5a9f7f73576dfaaf0f1c6b8dd04d094400028b548',X'78010DCA3901C0301003B0423A3B7D81857F3568D39E1C7BCAE2E4E2E6E1E53B76062F5EBC78F1E2C58B17AF5EBD7AF5EAD5AB57AF5EBD353F0450199F','[["hq", 30]]',X'7801030000000001',0,'');
INSERT INTO "name_lists" VALUES(2,'archive','released',1.79596335577263927461e+09,1.79596335577263927461e+09,30,'a9e69c7297d3a7505a2bd10095c7b774f4919bd8dda5e2ddd7417f4b226db67b',X'78010DCAB10180200003304EA245510FE37F3364CB99196796C5C5CDE6E1E51B27132F5EBC78F1E2C58B17AF5EBD7AF5EAD5AB57AF5EBD951F045119A0','[["hq", 30]]',X'7801030000000001',0,'');
INSERT INTO "name_lists" VALUES(3,'branch','released',1.79596335578368949893e+09,1.79596335578368949893e+09,30,'32a7b17202a98b67ecd201063a3f3c4a44ab9f6ff3ea93ba299af613169fc786',X'78010DCEC111C4201003C18B680A096C201DE71FC4CD67F6A5AEFD46C8EF1BA57632ED62D987C7BEBC76B3EDE1D8CBFD7D1964781CBB4E89F34CE23E8B08E4210A79894436D1C82122B944A583AA3454A5FEA0D24955BAA84A1FAAD297AA7453951EAAD24B55E6608E3F50FE2701','[["branch", 30]]',X'7801030000000001',0,'');
INSERT INTO "name_lists" VALUES(4,'branch','held',1.79596335580965638153e+09,1.79596335580965638153e+09,12,'76587b8e4712fb587ff9d1900b3edb6f52eac299c22d53a14674f315b5eae5e0',X'78010DCBB91100200CC4402AD2F80CE669C7FD17C125AB481D42A323493B9976B16C5176B3EDE1D8CBB58F375A81C2F1EC5B89F20322E20E77','[["branch", 12]]',X'7801030000000001',18,'18 of 30 names that were listed before are missing');
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
INSERT INTO "people" VALUES(1,'hq','1',X'2C4E3FE5814C7F98DFD93B4A39892284','{"id":"1","username":"u01","full_name":"Person 1 of Köln","distinguished_name":null,"emails":[{"address":"u01@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(2,'hq','2',X'DEAC749E907A0F678C00E7308244E447','{"id":"2","username":"u02","full_name":"Person 2 of Köln","distinguished_name":null,"emails":[{"address":"u02@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(3,'hq','3',X'7DA1815139A5D2230B4EE86E491F01C4','{"id":"3","username":"u03","full_name":"Person 3 of Köln","distinguished_name":null,"emails":[{"address":"u03@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(4,'hq','4',X'DCCA029D532110DB333CAAFD40511AAB','{"id":"4","username":"u04","full_name":"Person 4 of Köln","distinguished_name":null,"emails":[{"address":"u04@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(5,'hq','5',X'47B0E40B7AEDD1157BCE9F48641FCBC0','{"id":"5","username":"u05","full_name":"Person 5 of Köln","distinguished_name":null,"emails":[{"address":"u05@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(6,'hq','6',X'C6D69819EF384EAE5B93A374C2B94E55','{"id":"6","username":"u06","full_name":"Person 6 of Köln","distinguished_name":null,"emails":[{"address":"u06@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(7,'hq','7',X'7D54BBFE940036A84EBFC8C6CEA7ADFA','{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',2,NULL);
INSERT INTO "people" VALUES(8,'hq','8',X'E92F94D823413BE0843E4A2469185AE8','{"id":"8","username":"u08","full_name":"Person 8 of Köln","distinguished_name":null,"emails":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',5,NULL);
INSERT INTO "people" VALUES(9,'hq','9',X'B673BC7D0DD7637C9E7E51C6C90C17FE','{"id":"9","username":"u09","full_name":"Person 9 of Köln","distinguished_name":null,"emails":[{"address":"u09@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(10,'hq','10',X'F67CBB32937F91E0E0FD9C0CFBF39634','{"id":"10","username":"u10","full_name":"Person 10 of Köln","distinguished_name":null,"emails":[{"address":"u10@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(11,'hq','11',X'3F85CFFE1B51B310BA1563A2FB137764','{"id":"11","username":"u11","full_name":"Person 11 of Köln","distinguished_name":null,"emails":[{"address":"u11@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(12,'hq','12',X'5B3BEA1A5F0115EAB0FF54C16C53052C','{"id":"12","username":"u12","full_name":"Person 12 of Köln","distinguished_name":null,"emails":[{"address":"u12@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(13,'hq','13',X'551D19888A594FCCF3D32F6D21C7842A','{"id":"13","username":"u13","full_name":"Person 13 of Köln","distinguished_name":null,"emails":[{"address":"u13@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(14,'hq','14',X'222DF6058EC85F4A4FB5F70980B033FF','{"id":"14","username":"u14","full_name":"Person 14 of Köln","distinguished_name":null,"emails":[{"address":"u14@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(15,'hq','15',X'48A8AE760B1F8B3CAB9FD35C4AE7CE10','{"id":"15","username":"u15","full_name":"Person 15 of Köln","distinguished_name":null,"emails":[{"address":"u15@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(16,'hq','16',X'9ADB09B8AE8966402AF16E4A33B9D25D','{"id":"16","username":"u16","full_name":"Person 16 of Köln","distinguished_name":null,"emails":[{"address":"u16@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(17,'hq','17',X'BD744D7D8FBE6F0B2FE8E2A858EA42F2','{"id":"17","username":"u17","full_name":"Person 17 of Köln","distinguished_name":null,"emails":[{"address":"u17@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(18,'hq','18',X'D4B182F03E09D8B4A23BD89A7C7C5224','{"id":"18","username":"u18","full_name":"Person 18 of Köln","distinguished_name":null,"emails":[{"address":"u18@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(19,'hq','19',X'25834E61EC5394E4E30B307F203B3724','{"id":"19","username":"u19","full_name":"Person 19 of Köln","distinguished_name":null,"emails":[{"address":"u19@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(20,'hq','20',X'7B20861F52FA54B6955ACDD62970C755','{"id":"20","username":"u20","full_name":"Person 20 of Köln","distinguished_name":null,"emails":[{"address":"u20@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(21,'hq','21',X'50908D68C426BC47A04E87F9FF584301','{"id":"21","username":"u21","full_name":"Person 21 of Köln","distinguished_name":null,"emails":[{"address":"u21@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(22,'hq','22',X'AAE06FEC096857CF3DE78D0ECF68749E','{"id":"22","username":"u22","full_name":"Person 22 of Köln","distinguished_name":null,"emails":[{"address":"u22@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(23,'hq','23',X'EAD0F5284FCEC378E630F43B015C5D1F','{"id":"23","username":"u23","full_name":"Person 23 of Köln","distinguished_name":null,"emails":[{"address":"u23@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(24,'hq','24',X'A1D41BC3024D0B2DA154CB225C7A464A','{"id":"24","username":"u24","full_name":"Person 24 of Köln","distinguished_name":null,"emails":[{"address":"u24@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(25,'hq','25',X'66D67EA4C9C2B58D13CE6E914F5EFC31','{"id":"25","username":"u25","full_name":"Person 25 of Köln","distinguished_name":null,"emails":[{"address":"u25@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(26,'hq','26',X'2ED694671F23DBCCB5A0AFD21AA66C88','{"id":"26","username":"u26","full_name":"Person 26 of Köln","distinguished_name":null,"emails":[{"address":"u26@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(27,'hq','27',X'88455113F9ED59D5120A19889766BE2C','{"id":"27","username":"u27","full_name":"Person 27 of Köln","distinguished_name":null,"emails":[{"address":"u27@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(28,'hq','28',X'B38669E22C8793C82341DC2A5AD61AAB','{"id":"28","username":"u28","full_name":"Person 28 of Köln","distinguished_name":null,"emails":[{"address":"u28@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(29,'hq','29',X'E7079471C132370F0F721C601BB9F286','{"id":"29","username":"u29","full_name":"Person 29 of Köln","distinguished_name":null,"emails":[{"address":"u29@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(31,'branch','1',X'3D5F16564C834B9812FC1A2CEC8EE54D','{"id":"1","username":"b01.1","full_name":"Branch person 1","distinguished_name":null,"emails":[{"address":"b01@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(32,'branch','2',X'78D31A6285739C70A7C20EB1CFE6911E','{"id":"2","username":"b02.2","full_name":"Branch person 2","distinguished_name":null,"emails":[{"address":"b02@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(33,'branch','3',X'0EC10568FEAED86538197DC5984BC3E4','{"id":"3","username":"b03.3","full_name":"Branch person 3","distinguished_name":null,"emails":[{"address":"b03@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(34,'branch','4',X'AB23DCEA6BEA1AE79BCC4DC1DC1F9C4E','{"id":"4","username":"b04.4","full_name":"Branch person 4","distinguished_name":null,"emails":[{"address":"b04@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(35,'branch','5',X'E9E91C8DCEA4CCA94BD3FDF4A474A357','{"id":"5","username":"b05.5","full_name":"Branch person 5","distinguished_name":null,"emails":[{"address":"b05@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(36,'branch','6',X'31A55CEDA6A99A07B973FDB8FB4E9B42','{"id":"6","username":"b06.6","full_name":"Branch person 6","distinguished_name":null,"emails":[{"address":"b06@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(37,'branch','7',X'9930555442F046234B77CB8485B951A9','{"id":"7","username":"b07.7","full_name":"Branch person 7","distinguished_name":null,"emails":[{"address":"b07@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(38,'branch','8',X'53C34227C83B3767982BE26975AAE911','{"id":"8","username":"b08.8","full_name":"Branch person 8","distinguished_name":null,"emails":[{"address":"b08@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(39,'branch','9',X'A6C9CE665F4ACF9B1328E8DAC16AE1C4','{"id":"9","username":"b09.9","full_name":"Branch person 9","distinguished_name":null,"emails":[{"address":"b09@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(40,'branch','10',X'ED508E64CB5A151E7B0460815E4DA55D','{"id":"10","username":"b10.10","full_name":"Branch person 10","distinguished_name":null,"emails":[{"address":"b10@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(41,'branch','11',X'5A9F6FE4946F70249E6E7B2F9A7C24D3','{"id":"11","username":"b11.11","full_name":"Branch person 11","distinguished_name":null,"emails":[{"address":"b11@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(42,'branch','12',X'42200C280860CD08BE601B76AD1ABDE0','{"id":"12","username":"b12.12","full_name":"Branch person 12","distinguished_name":null,"emails":[{"address":"b12@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(43,'branch','13',X'9FABD8FF90E713395AD0A24E31FC8224','{"id":"13","username":"b13.13","full_name":"Branch person 13","distinguished_name":null,"emails":[{"address":"b13@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(44,'branch','14',X'A347831AA902E06977BC696441EC7637','{"id":"14","username":"b14.14","full_name":"Branch person 14","distinguished_name":null,"emails":[{"address":"b14@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(45,'branch','15',X'3B18278A68DE59C4CF61FD73E904B7D5','{"id":"15","username":"b15.15","full_name":"Branch person 15","distinguished_name":null,"emails":[{"address":"b15@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(46,'branch','16',X'5F9D91055AAF6B771187A9DF0E42DA5A','{"id":"16","username":"b16.16","full_name":"Branch person 16","distinguished_name":null,"emails":[{"address":"b16@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(47,'branch','17',X'5CED5625A39B78CF811933F982FFE821','{"id":"17","username":"b17.17","full_name":"Branch person 17","distinguished_name":null,"emails":[{"address":"b17@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(48,'branch','18',X'C97F95DCADC584F3AC3F3FB248BD0F09','{"id":"18","username":"b18.18","full_name":"Branch person 18","distinguished_name":null,"emails":[{"address":"b18@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(49,'branch','19',X'4B0B29B481A655C775EF53273E45496C','{"id":"19","username":"b19.19","full_name":"Branch person 19","distinguished_name":null,"emails":[{"address":"b19@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(50,'branch','20',X'A2D5F444FC342FAD676DDF1325BAC26B','{"id":"20","username":"b20.20","full_name":"Branch person 20","distinguished_name":null,"emails":[{"address":"b20@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(51,'branch','21',X'C3F68523FB303D9DDF107AEBF5E45183','{"id":"21","username":"b21.21","full_name":"Branch person 21","distinguished_name":null,"emails":[{"address":"b21@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(52,'branch','22',X'526069872A868DC49F1412EA0C7E87FB','{"id":"22","username":"b22.22","full_name":"Branch person 22","distinguished_name":null,"emails":[{"address":"b22@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(53,'branch','23',X'7F97E9094F655CCFC5C1AEE1D71B2917','{"id":"23","username":"b23.23","full_name":"Branch person 23","distinguished_name":null,"emails":[{"address":"b23@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(54,'branch','24',X'509E345405B1871E34CA7B515C9E456D','{"id":"24","username":"b24.24","full_name":"Branch person 24","distinguished_name":null,"emails":[{"address":"b24@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(55,'branch','25',X'DBC3A0582D773B4A2E26B47E0B455C3B','{"id":"25","username":"b25.25","full_name":"Branch person 25","distinguished_name":null,"emails":[{"address":"b25@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(56,'branch','26',X'0F62273C4109F7777BCD19FD213EBA9C','{"id":"26","username":"b26.26","full_name":"Branch person 26","distinguished_name":null,"emails":[{"address":"b26@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(57,'branch','27',X'298F0FB3C1132AB1B3C4E96A7A6904B1','{"id":"27","username":"b27.27","full_name":"Branch person 27","distinguished_name":null,"emails":[{"address":"b27@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(58,'branch','28',X'9BFB02D6E4041523CDC2A3F88F546FCA','{"id":"28","username":"b28.28","full_name":"Branch person 28","distinguished_name":null,"emails":[{"address":"b28@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(59,'branch','29',X'CDA4A1302C79110AD22BFA5045846090','{"id":"29","username":"b29.29","full_name":"Branch person 29","distinguished_name":null,"emails":[{"address":"b29@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(60,'branch','30',X'29C5604A126530822A8218874D0113A9','{"id":"30","username":"b30.30","full_name":"Branch person 30","distinguished_name":null,"emails":[{"address":"b30@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}',0,NULL);
INSERT INTO "people" VALUES(61,'hq','31',X'78BE34944D74F02FC2A331C28255CB23','{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}',7,NULL);
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
	epoch INTEGER NOT NULL, 
	CONSTRAINT pk_subscriptions PRIMARY KEY (id), 
	CONSTRAINT uq_subscriptions_owner UNIQUE (owner, uid)
);
INSERT INTO "subscriptions" VALUES('sub_config_wiki','config','wiki','webhook','{"kind":"all"}','["*"]','{"url":"http://127.0.0.1:18181/wiki","secret":"whsec_b2xkIHN0b3JlcyBhcmUgb3BlbmVkIGJ5IG5ldyBjb2Rl"}','[]',1,NULL,0,1,'ok',NULL,1.79596335065823078155e+09,1.79596335065823078155e+09,7,NULL,NULL,NULL,0,NULL,0);
INSERT INTO "subscriptions" VALUES('sub_fd3eb21aedb4130d2303ad95','tok_a047b84e6590d6ec4a3893bb','crm','webhook','{"kind":"all"}','["*"]','{"type":"webhook","url":"http://127.0.0.1:18181/crm"}','[{"secret":"whsec_jqt3sXjHei0BP0u2wmvtCxCZ5CCLveC8Drwlxuu/Vtc=","until":null}]',1,NULL,0,1,'ok',NULL,1.79596335159256052967e+09,1.79596335159256052967e+09,7,NULL,NULL,1.79596335672439599037e+09,0,NULL,0);
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
INSERT INTO "tokens" VALUES('tok_a047b84e6590d6ec4a3893bb','reader','38a2bc565643288676f5939ed00612c4c6f26b322fab8f5a2023d4468066ff22','["events:read", "subscriptions:write", "sync:admin"]','[{"kind": "all"}]',1.79596334944799470908e+09,NULL,NULL,1.79596335159016656877e+09);
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
INSERT INTO "watches" VALUES('hq',1795963350.6802,'7d6e6da960505082191f3200adaa77fc7e8c65c67e00873f19cc73b844012dd2','["1-a33fc45e006b031e", 4709, 1795959753365566253, 1795963353365439843, 2216546]',1.79596335473270273213e+09,2.07026699990819906815e-03,30,NULL,NULL,NULL,0);
INSERT INTO "watches" VALUES('branch',1.79596335068325948713e+09,'a6d6b4f2b2f0bdc5244fff690469dc2658bd84efa2def3e4fe787eb02522aa80','["1-8a6aa096580b3ff5", 1411, 1795959749007703065, 1795963349007174003, 2216547]',1.79596335672116684915e+09,1.15207950000240089138e-02,30,NULL,NULL,NULL,0);
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('people',61);
INSERT INTO "sqlite_sequence" VALUES('name_lists',4);
INSERT INTO "sqlite_sequence" VALUES('deliveries',2);
INSERT INTO "sqlite_sequence" VALUES('attempts',14);
INSERT INTO "sqlite_sequence" VALUES('index_generations',2);
INSERT INTO "sqlite_sequence" VALUES('held_runs',1);
COMMIT;
