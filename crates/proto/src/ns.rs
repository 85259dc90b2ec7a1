//! Every namespace that this server reads or writes, once, with the document that defines it.
//! Constants only; they are compared as bytes, so they are spelt here and nowhere else.

/// Namespaces in XML 1.0: bound to the prefix `xml` without a declaration.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Namespaces in XML 1.0: bound to the prefix `xmlns`, and to nothing else.
pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// RFC 6120: XMPP Core, section 4.8.1: the stream element itself, its features and its errors.
pub const STREAMS: &str = "http://etherx.jabber.org/streams";
/// RFC 6120, section 4.8.2: the content of a stream between a client and a server.
pub const CLIENT: &str = "jabber:client";
/// RFC 6120, section 4.8.2: the content of a stream between two servers.
pub const SERVER: &str = "jabber:server";
/// XEP-0114: Jabber Component Protocol: the content of a stream that a component has opened.
pub const COMPONENT: &str = "jabber:component:accept";
/// RFC 6120, section 4.9: the defined conditions of stream errors.
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// RFC 6120, section 5: STARTTLS.
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// RFC 6120, section 6: SASL.
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// RFC 6120, section 7: resource binding.
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// RFC 6120, section 8.3: the defined conditions of stanza errors.
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// RFC 6121, section 2: the roster.
pub const ROSTER: &str = "jabber:iq:roster";
/// RFC 6121, section 3.4: pre-approved subscriptions, as a stream feature.
pub const PRE_APPROVAL: &str = "urn:xmpp:features:pre-approval";
/// RFC 6121, section 2.6: roster versions, as a stream feature.
pub const ROSTER_VERSIONS: &str = "urn:xmpp:features:rosterver";
/// RFC 3921, section 3: the session element that older clients send after binding.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// RFC 7395: XMPP over WebSocket.
pub const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
/// XEP-0124: Bidirectional-streams Over Synchronous HTTP (BOSH).
pub const BOSH: &str = "http://jabber.org/protocol/httpbind";
/// XEP-0206: XMPP Over BOSH.
pub const XBOSH: &str = "urn:xmpp:xbosh";

/// XEP-0004: Data Forms.
pub const DATA_FORMS: &str = "jabber:x:data";
/// XEP-0012: Last Activity.
pub const LAST: &str = "jabber:iq:last";
/// XEP-0016: Privacy Lists.
pub const PRIVACY: &str = "jabber:iq:privacy";
/// XEP-0030: Service Discovery, identities and features.
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// XEP-0030: Service Discovery, associated items.
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// XEP-0045: Multi-User Chat.
pub const MUC: &str = "http://jabber.org/protocol/muc";
/// XEP-0045: Multi-User Chat, what rooms tell their occupants.
pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
/// XEP-0045: Multi-User Chat, what administrators and moderators change of people.
pub const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
/// XEP-0045: Multi-User Chat, what owners change of a room.
pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
/// XEP-0045: Multi-User Chat, the form with the configuration of a room.
pub const MUC_ROOMCONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";
/// XEP-0045: Multi-User Chat, the form with what everybody may know of a room.
pub const MUC_ROOMINFO: &str = "http://jabber.org/protocol/muc#roominfo";
/// XEP-0045: Multi-User Chat, the form of who asks for membership and a nickname.
pub const MUC_REGISTER: &str = "http://jabber.org/protocol/muc#register";
/// XEP-0045: Multi-User Chat, the form of who asks for voice.
pub const MUC_REQUEST: &str = "http://jabber.org/protocol/muc#request";
/// XEP-0045: Multi-User Chat, a room leaves the ids of messages as they are.
pub const MUC_STABLE_ID: &str = "http://jabber.org/protocol/muc#stable_id";
/// XEP-0048: Bookmarks, and the name of the node with them.
pub const BOOKMARKS_LEGACY: &str = "storage:bookmarks";
/// XEP-0033: Extended Stanza Addressing.
pub const ADDRESS: &str = "http://jabber.org/protocol/address";
/// XEP-0049: Private XML Storage.
pub const PRIVATE: &str = "jabber:iq:private";
/// XEP-0050: Ad-Hoc Commands.
pub const COMMANDS: &str = "http://jabber.org/protocol/commands";
/// XEP-0054: vcard-temp.
pub const VCARD: &str = "vcard-temp";
/// XEP-0059: Result Set Management.
pub const RSM: &str = "http://jabber.org/protocol/rsm";
/// XEP-0060: Publish-Subscribe.
pub const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
/// XEP-0060: Publish-Subscribe, what subscribers are told.
pub const PUBSUB_EVENT: &str = "http://jabber.org/protocol/pubsub#event";
/// XEP-0060: Publish-Subscribe, what the owners of a node ask for.
pub const PUBSUB_OWNER: &str = "http://jabber.org/protocol/pubsub#owner";
/// XEP-0060: Publish-Subscribe, conditions beside those of stanza errors.
pub const PUBSUB_ERRORS: &str = "http://jabber.org/protocol/pubsub#errors";
/// XEP-0060: Publish-Subscribe, as the type of the form with the configuration of a node.
pub const PUBSUB_NODE_CONFIG: &str = "http://jabber.org/protocol/pubsub#node_config";
/// XEP-0060: Publish-Subscribe, as the type of the form with the options of a subscription.
pub const PUBSUB_SUBSCRIBE_OPTIONS: &str = "http://jabber.org/protocol/pubsub#subscribe_options";
/// XEP-0060: Publish-Subscribe, as the type of the form in which an owner is asked about a subscription.
pub const PUBSUB_SUBSCRIBE_AUTHORIZATION: &str = "http://jabber.org/protocol/pubsub#subscribe_authorization";
/// XEP-0060: Publish-Subscribe, as the type of the form that tells about a node.
pub const PUBSUB_META_DATA: &str = "http://jabber.org/protocol/pubsub#meta-data";
/// XEP-0060: Publish-Subscribe, as the type of the form with what a publication depends on.
pub const PUBSUB_PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
/// XEP-0065: SOCKS5 Bytestreams.
pub const BYTESTREAMS: &str = "http://jabber.org/protocol/bytestreams";
/// XEP-0071: XHTML-IM.
pub const XHTML_IM: &str = "http://jabber.org/protocol/xhtml-im";

/// XHTML 1.0.
pub const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// RFC 4287: the Atom Syndication Format.
pub const ATOM: &str = "http://www.w3.org/2005/Atom";
/// XEP-0077: In-Band Registration.
pub const REGISTER: &str = "jabber:iq:register";
/// XEP-0077: In-Band Registration, as a stream feature.
pub const REGISTER_FEATURE: &str = "http://jabber.org/features/iq-register";
/// XEP-0078: Non-SASL Authentication; read only to refuse it.
pub const IQ_AUTH: &str = "jabber:iq:auth";
/// XEP-0084: User Avatar, the image, and the name of the node with it.
pub const AVATAR_DATA: &str = "urn:xmpp:avatar:data";
/// XEP-0084: User Avatar, what is told of the image, and the name of the node with it.
pub const AVATAR_METADATA: &str = "urn:xmpp:avatar:metadata";
/// XEP-0085: Chat State Notifications.
pub const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
/// XEP-0092: Software Version.
pub const VERSION: &str = "jabber:iq:version";
/// XEP-0115: Entity Capabilities.
pub const CAPS: &str = "http://jabber.org/protocol/caps";
/// XEP-0122: Data Forms Validation.
pub const DATA_VALIDATE: &str = "http://jabber.org/protocol/xdata-validate";
/// XEP-0131: Stanza Headers and Internet Metadata.
pub const SHIM: &str = "http://jabber.org/protocol/shim";
/// XEP-0133: Service Administration, as the type of a form; its nodes are named under it.
pub const ADMIN: &str = "http://jabber.org/protocol/admin";
/// XEP-0138: Stream Compression.
pub const COMPRESS: &str = "http://jabber.org/protocol/compress";
/// XEP-0138: Stream Compression, as a stream feature.
pub const COMPRESS_FEATURE: &str = "http://jabber.org/features/compress";
/// XEP-0153: vCard-Based Avatars, in a presence.
pub const VCARD_UPDATE: &str = "vcard-temp:x:update";
/// XEP-0157: Contact Addresses for XMPP Services, as the type of a form.
pub const SERVER_INFO: &str = "http://jabber.org/network/serverinfo";
/// XEP-0160: Best Practices for Handling Offline Messages, as a feature of a host.
pub const OFFLINE: &str = "msgoffline";
/// XEP-0172: User Nickname.
pub const NICK: &str = "http://jabber.org/protocol/nick";
/// XEP-0184: Message Delivery Receipts.
pub const RECEIPTS: &str = "urn:xmpp:receipts";
/// XEP-0191: Blocking Command.
pub const BLOCKING: &str = "urn:xmpp:blocking";
/// XEP-0191: Blocking Command, why a stanza to a blocked address was not sent.
pub const BLOCKING_ERRORS: &str = "urn:xmpp:blocking:errors";
/// XEP-0198: Stream Management.
pub const STREAM_MANAGEMENT: &str = "urn:xmpp:sm:3";
/// XEP-0199: XMPP Ping.
pub const PING: &str = "urn:xmpp:ping";
/// XEP-0202: Entity Time.
pub const TIME: &str = "urn:xmpp:time";
/// XEP-0203: Delayed Delivery.
pub const DELAY: &str = "urn:xmpp:delay";
/// XEP-0215: External Service Discovery.
pub const EXTERNAL_SERVICES: &str = "urn:xmpp:extdisco:2";
/// XEP-0215: External Service Discovery, the older form.
pub const EXTERNAL_SERVICES_1: &str = "urn:xmpp:extdisco:1";
/// XEP-0220: Server Dialback.
pub const DIALBACK: &str = "jabber:server:dialback";
/// XEP-0220: Server Dialback, as a stream feature.
pub const DIALBACK_FEATURE: &str = "urn:xmpp:features:dialback";
/// XEP-0257: Client Certificate Management for SASL EXTERNAL.
pub const SASL_CERT: &str = "urn:xmpp:saslcert:1";
/// XEP-0279: Server IP Check.
pub const SIC: &str = "urn:xmpp:sic:1";
/// XEP-0280: Message Carbons.
pub const CARBONS: &str = "urn:xmpp:carbons:2";
/// XEP-0280: Message Carbons, as the feature that promises the rules of its section 6.1.
pub const CARBONS_RULES: &str = "urn:xmpp:carbons:rules:0";
/// XEP-0288: Bidirectional Server-to-Server Connections.
pub const BIDI: &str = "urn:xmpp:bidi";
/// XEP-0288: Bidirectional Server-to-Server Connections, as a stream feature.
pub const BIDI_FEATURE: &str = "urn:xmpp:features:bidi";
/// XEP-0292: vCard4 Over XMPP (RFC 6351).
pub const VCARD4: &str = "urn:ietf:params:xml:ns:vcard-4.0";
/// XEP-0297: Stanza Forwarding.
pub const FORWARD: &str = "urn:xmpp:forward:0";
/// XEP-0300: Use of Cryptographic Hash Functions in XMPP.
pub const HASHES: &str = "urn:xmpp:hashes:2";
/// XEP-0308: Last Message Correction.
pub const CORRECTION: &str = "urn:xmpp:message-correct:0";
/// XEP-0312: PubSub Since.
pub const AGO: &str = "urn:xmpp:ago:0";
/// XEP-0313: Message Archive Management.
pub const MAM: &str = "urn:xmpp:mam:2";
/// XEP-0313: Message Archive Management, with ranges of ids, single messages, flipped pages and metadata.
pub const MAM_EXTENDED: &str = "urn:xmpp:mam:2#extended";
/// XEP-0313: Message Archive Management, the field `include-groupchat` is understood.
pub const MAM_GROUPCHAT_FIELD: &str = "urn:xmpp:mam:2#groupchat-field";
/// This server's own, never on the wire: what an administrator has set for an archive.
pub const ARCHIVE_LIMITS: &str = "http://metronome.im/protocol/archive-limits";
/// This server's own, never on the wire: the hashes of a room's picture.
pub const ROOM_AVATAR: &str = "http://metronome.im/protocol/room-avatar";
/// Metronome's own: an account removes messages from its archive.
pub const MAM_PURGE: &str = "http://metronome.im/protocol/mam-purge";
/// XEP-0328: JID Preparation and Validation Service.
pub const JID_PREP: &str = "urn:xmpp:jidprep:1";
/// XEP-0328: JID Preparation and Validation Service, for text that XML cannot carry.
pub const JID_PREP_BASE64: &str = "urn:xmpp:jidprep:base64:1";
/// XEP-0333: Displayed Markers.
pub const CHAT_MARKERS: &str = "urn:xmpp:chat-markers:0";
/// XEP-0334: Message Processing Hints.
pub const HINTS: &str = "urn:xmpp:hints";
/// XEP-0352: Client State Indication.
pub const CSI: &str = "urn:xmpp:csi:0";
/// XEP-0357: Push Notifications.
pub const PUSH: &str = "urn:xmpp:push:0";
/// XEP-0357: Push Notifications, as the type of the form that tells what there is.
pub const PUSH_SUMMARY: &str = "urn:xmpp:push:summary";
/// XEP-0359: Unique and Stable Stanza IDs.
pub const STANZA_ID: &str = "urn:xmpp:sid:0";
/// XEP-0363: HTTP File Upload.
pub const UPLOAD: &str = "urn:xmpp:http:upload:0";
/// XEP-0363: HTTP File Upload, what a file is for.
pub const UPLOAD_PURPOSE: &str = "urn:xmpp:http:upload:purpose:0";
/// XEP-0363: HTTP File Upload, files that are sent in messages, as a feature.
pub const UPLOAD_MESSAGE: &str = "urn:xmpp:http:upload:purpose:0#message";
/// XEP-0363: HTTP File Upload, pictures of people, as a feature.
pub const UPLOAD_PROFILE: &str = "urn:xmpp:http:upload:purpose:0#profile";
/// XEP-0363: HTTP File Upload, files that are gone at a time that their sender says, as a feature.
pub const UPLOAD_EPHEMERAL: &str = "urn:xmpp:http:upload:purpose:0#ephemeral";
/// XEP-0363: HTTP File Upload, files that stay, as a feature.
pub const UPLOAD_PERMANENT: &str = "urn:xmpp:http:upload:purpose:0#permanent";
/// XEP-0440: SASL Channel-Binding Type Capability.
pub const CHANNEL_BINDING: &str = "urn:xmpp:sasl-cb:0";
/// XEP-0231: Bits of Binary.
pub const BOB: &str = "urn:xmpp:bob";
/// XEP-0249: Direct MUC Invitations.
pub const CONFERENCE: &str = "jabber:x:conference";
/// XEP-0307: Unique Room Names for Multi-User Chat.
pub const MUC_UNIQUE: &str = "http://jabber.org/protocol/muc#unique";
/// XEP-0317: Hats.
pub const HATS: &str = "urn:xmpp:hats:0";
/// XEP-0317: Hats, the form of its commands.
pub const HATS_COMMANDS: &str = "urn:xmpp:hats:commands";
/// XEP-0353: Jingle Message Initiation.
pub const JINGLE_MESSAGE: &str = "urn:xmpp:jingle-message:0";
/// XEP-0373: OpenPGP for XMPP.
pub const OPENPGP: &str = "urn:xmpp:openpgp:0";
/// XEP-0377: Blocking Command Reports.
pub const REPORTING: &str = "urn:xmpp:reporting:1";
/// XEP-0380: Explicit Message Encryption.
pub const ENCRYPTION: &str = "urn:xmpp:eme:0";
/// XEP-0384: OMEMO Encryption.
pub const OMEMO: &str = "urn:xmpp:omemo:2";
/// XEP-0384: OMEMO Encryption, in the version that most clients still use.
pub const OMEMO_LEGACY: &str = "eu.siacs.conversations.axolotl";
/// XEP-0386: Bind 2.
pub const BIND2: &str = "urn:xmpp:bind:0";
/// XEP-0388: Extensible SASL Profile.
pub const SASL2: &str = "urn:xmpp:sasl:2";
/// XEP-0390: Entity Capabilities 2.0; the nodes under which entities tell what is behind a hash begin with it.
pub const CAPS_2: &str = "urn:xmpp:caps";
/// XEP-0395: Atomically Compare-And-Publish PubSub Items.
pub const COMPARE_AND_PUBLISH: &str = "urn:xmpp:pubsub:cap:0";
/// XEP-0402: PEP Native Bookmarks, and the name of the node with them.
pub const BOOKMARKS: &str = "urn:xmpp:bookmarks:1";
/// XEP-0410: MUC Self-Ping, a room answers for the clients that are in it.
pub const SELF_PING_OPTIMIZATION: &str = "http://jabber.org/protocol/muc#self-ping-optimization";
/// XEP-0413: Order-By.
pub const ORDER_BY: &str = "urn:xmpp:order-by:1";
/// XEP-0421: Anonymous unique occupant identifiers for MUCs.
pub const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";
/// XEP-0422: Message Fastening, of which the older form of moderation is made.
pub const FASTEN: &str = "urn:xmpp:fasten:0";
/// XEP-0424: Message Retraction.
pub const RETRACT: &str = "urn:xmpp:message-retract:1";
/// XEP-0424: Message Retraction, an archive has tombstones in the place of what was retracted.
pub const RETRACT_TOMBSTONE: &str = "urn:xmpp:message-retract:1#tombstone";
/// XEP-0424: Message Retraction, the older form.
pub const RETRACT_0: &str = "urn:xmpp:message-retract:0";
/// XEP-0425: Moderated Message Retraction.
pub const MODERATE: &str = "urn:xmpp:message-moderate:1";
/// XEP-0425: Moderated Message Retraction, the older form.
pub const MODERATE_0: &str = "urn:xmpp:message-moderate:0";
/// XEP-0444: Message Reactions.
pub const REACTIONS: &str = "urn:xmpp:reactions:0";
/// XEP-0447: Stateless file sharing.
pub const FILE_SHARING: &str = "urn:xmpp:sfs:0";
/// XEP-0462: PubSub Type Filtering.
pub const PUBSUB_FILTER: &str = "urn:xmpp:pubsub-filter:0";
/// XEP-0463: MUC Affiliations Versioning.
pub const MUC_AFFILIATIONS: &str = "urn:xmpp:muc:affiliations:1";
/// XEP-0465: Pubsub Public Subscriptions.
pub const PUBLIC_SUBSCRIPTIONS: &str = "urn:xmpp:pps:0";
/// XEP-0470: Pubsub Attachments.
pub const PUBSUB_ATTACHMENTS: &str = "urn:xmpp:pubsub-attachments:1";
/// XEP-0470: Pubsub Attachments, what is said of all of an item together.
pub const PUBSUB_ATTACHMENTS_SUMMARY: &str = "urn:xmpp:pubsub-attachments:summary:1";
/// XEP-0478: Stream Limits Advertisement.
pub const STREAM_LIMITS: &str = "urn:xmpp:stream-limits:0";
/// XEP-0480: SASL Upgrade Tasks.
pub const SASL_UPGRADE: &str = "urn:xmpp:sasl:upgrade:0";
/// XEP-0480: SASL Upgrade Tasks, those of SCRAM.
pub const SCRAM_UPGRADE: &str = "urn:xmpp:scram-upgrade:0";
/// XEP-0484: Fast Authentication Streamlining Tokens.
pub const FAST: &str = "urn:xmpp:fast:0";
/// XEP-0485: PubSub Server Information.
pub const SERVER_INFO_DATA: &str = "urn:xmpp:serverinfo:0";
/// XEP-0499: Pubsub Extended Discovery.
pub const PUBSUB_EXTENDED_DISCOVERY: &str = "urn:xmpp:pubsub-ext-disco:0";
