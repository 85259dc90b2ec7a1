// Runs Smack's integration tests against the port in XMPP_PORT and writes what became of each to the file in its first
// argument: one line with the outcome (passed, failed, impossible), the name and why, with tabs between. Smack takes
// the rest of its configuration from system properties (`sinttest.*`).

import java.io.PrintWriter;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.igniterealtime.smack.inttest.Configuration;
import org.igniterealtime.smack.inttest.SmackIntegrationTestFramework;
import org.igniterealtime.smack.inttest.SmackIntegrationTestFramework.TestRunResult;
import org.igniterealtime.smack.inttest.XmppConnectionDescriptor;
import org.igniterealtime.smack.inttest.XmppConnectionManager;
import org.jivesoftware.smack.ConnectionListener;
import org.jivesoftware.smack.XMPPConnection;
import org.jivesoftware.smack.XMPPConnectionRegistry;
import org.jivesoftware.smack.c2s.ModularXmppClientToServerConnection;
import org.jivesoftware.smack.c2s.ModularXmppClientToServerConnectionConfiguration;
import org.jivesoftware.smack.compression.CompressionModuleDescriptor;
import org.jivesoftware.smack.tcp.XMPPTCPConnection;
import org.jivesoftware.smack.tcp.XMPPTCPConnectionConfiguration;
import org.jivesoftware.smack.tcp.XmppTcpTransportModule;
import org.jivesoftware.smack.tcp.XmppTcpTransportModuleDescriptor;
import org.jivesoftware.smackx.bytestreams.socks5.Socks5Proxy;

public final class Sinttest {
    private static final int PORT = Integer.parseInt(System.getenv("XMPP_PORT"));
    // By the test's name: the outcome, the name and why.
    private static final Map<String, String[]> RESULTS = new LinkedHashMap<>();

    public static void main(String[] arguments) throws Exception {
        describeConnections();
        // It would listen on every address of the machine. So files go in-band, in a run of their own: nothing turns
        // off a single test of a class.
        Socks5Proxy.setLocalSocks5ProxyEnabled(false);
        XMPPConnectionRegistry.addConnectionCreationListener(
                connection -> connection.addConnectionListener(new Acquaintance(connection)));
        Nudges.begin();
        if (System.getProperty("sinttest.enabledTests") == null) {
            run("disabledTests", "FileTransferIntegrationTest");
            System.clearProperty("sinttest.disabledTests");
            run("enabledTests", "FileTransferIntegrationTest.ibbFileTransferTest");
            tryAgain();
        } else {
            run("verbose", "true");
        }
        try (PrintWriter report =
                new PrintWriter(Files.newBufferedWriter(Path.of(arguments[0]), StandardCharsets.UTF_8))) {
            RESULTS.values().forEach(result -> report.println(String.join("\t", result)));
        }
        // Smack leaves threads behind.
        System.exit(0);
    }

    // What a class of tests leaves behind (a subscription that is just being ended, say) may meet the next one, in an
    // order that differs from run to run. What fails is tried once more, with new accounts and without the others.
    private static void tryAgain() throws Exception {
        Set<String> failed = new TreeSet<>();
        for (String[] result : RESULTS.values()) {
            if (result[0].equals("failed")) {
                failed.add(result[1].replaceFirst(" .*", ""));
            }
        }
        if (!failed.isEmpty()) {
            run("enabledTests", String.join(",", failed));
        }
    }

    private static void run(String key, String value) throws Exception {
        System.setProperty("sinttest." + key, value);
        TestRunResult result =
                new SmackIntegrationTestFramework(Configuration.newConfiguration(new String[0])).run();
        result.getSuccessfulTests().forEach(test -> keep("passed", test.concreteTest, null));
        result.getFailedTests().forEach(test -> keep("failed", test.concreteTest, test.failureReason));
        result.getNotPossibleTests()
                .forEach(test -> keep("impossible", test.concreteTest, test.testNotPossibleException));
        result.getImpossibleTestClasses().forEach((test, reason) -> keep("impossible", test.getSimpleName(), reason));
    }

    private static void keep(String outcome, Object test, Throwable reason) {
        String name = test.toString();
        String why = reason == null ? "" : reason.toString().replaceAll("\\s+", " ");
        String[] before = RESULTS.get(name);
        if (before == null || !before[0].equals("failed")) {
            RESULTS.putIfAbsent(name, new String[] {outcome, name, why});
        } else {
            RESULTS.put(name, new String[] {outcome, name, why.isEmpty() ? "second try; the first: " + before[2] : why});
        }
    }

    // Smack's own descriptions of its connections know no port but 5222. WebSocket is not spoken by the server yet.
    private static void describeConnections() throws Exception {
        XmppConnectionManager.addConnectionDescriptor(XmppConnectionDescriptor.buildWith(
                        XMPPTCPConnection.class,
                        XMPPTCPConnectionConfiguration.class,
                        XMPPTCPConnectionConfiguration.Builder.class)
                .withNickname("tcp")
                .applyExtraConfiguration(builder -> builder.setPort(PORT))
                .build());
        for (String nickname : List.of("modular", "modular-nocompress")) {
            XmppConnectionManager.addConnectionDescriptor(XmppConnectionDescriptor.buildWith(
                            ModularXmppClientToServerConnection.class,
                            ModularXmppClientToServerConnectionConfiguration.class,
                            ModularXmppClientToServerConnectionConfiguration.Builder.class)
                    .withNickname(nickname)
                    .applyExtraConfiguration(builder -> describeModular(builder, nickname))
                    .build());
        }
        XmppConnectionManager.removeConnectionDescriptor("modular-websocket-okhttp");
        XmppConnectionManager.removeConnectionDescriptor("modular-websocket-java11");
    }

    private static void describeModular(
            ModularXmppClientToServerConnectionConfiguration.Builder builder, String nickname) {
        builder.setPort(PORT);
        if (nickname.endsWith("nocompress")) {
            builder.removeModule(CompressionModuleDescriptor.class);
        }
    }

    // Many tests send requests between the three main accounts without a subscription. RFC 6121 section 8.5.3.1 has a
    // server deliver those to whom the recipient has sent its presence, so that is what each of the three does first.
    private static final class Acquaintance implements ConnectionListener {
        private static final List<XMPPConnection> ACQUAINTED = new CopyOnWriteArrayList<>();

        private final XMPPConnection connection;

        Acquaintance(XMPPConnection connection) {
            this.connection = connection;
        }

        @Override
        public void authenticated(XMPPConnection ignored, boolean resumed) {
            if (resumed || !connection.getUser().getLocalpart().toString().startsWith("smack-inttest-")) {
                return;
            }
            ACQUAINTED.remove(connection);
            for (XMPPConnection other : ACQUAINTED) {
                if (other.isAuthenticated()) {
                    greet(connection, other);
                    greet(other, connection);
                }
            }
            ACQUAINTED.add(connection);
        }

        private static void greet(XMPPConnection from, XMPPConnection to) {
            try {
                from.sendStanza(from.getStanzaFactory().buildPresenceStanza().to(to.getUser()).build());
            } catch (Exception e) {
                throw new IllegalStateException(from.getUser() + " cannot greet " + to.getUser(), e);
            }
        }
    }

    // A modular connection loses wake-ups: when one of its threads has something to send or to read while another is at
    // it, that thread leaves, and nobody comes back. Then a handshake or a login stands still with the server's bytes
    // read and nothing sent. So all of them are told to go on every now and then.
    private static final class Nudges {
        private static final int EVERY_MS = 300;
        private static final Logger QUIET = Logger.getLogger(XmppTcpTransportModule.class.getName());
        private static final List<ModularXmppClientToServerConnection> CONNECTIONS = new CopyOnWriteArrayList<>();

        static void begin() throws NoSuchMethodException {
            Method goOn = XmppTcpTransportModule.class.getDeclaredMethod(
                    "callChannelSelectedCallback", boolean.class, boolean.class);
            goOn.setAccessible(true);
            // It tells each time that it has nothing to do for a connection that is closed.
            QUIET.setLevel(Level.WARNING);
            XMPPConnectionRegistry.addConnectionCreationListener(connection -> {
                if (connection instanceof ModularXmppClientToServerConnection modular) {
                    CONNECTIONS.add(modular);
                }
            });
            Thread thread = new Thread(() -> nudge(goOn), "nudges");
            thread.setDaemon(true);
            thread.start();
        }

        private static void nudge(Method goOn) {
            while (true) {
                try {
                    Thread.sleep(EVERY_MS);
                    for (ModularXmppClientToServerConnection connection : CONNECTIONS) {
                        goOn.invoke(
                                connection.getConnectionModuleFor(XmppTcpTransportModuleDescriptor.class), true, true);
                    }
                } catch (InterruptedException e) {
                    return;
                } catch (ReflectiveOperationException e) {
                    e.printStackTrace();
                }
            }
        }
    }
}
