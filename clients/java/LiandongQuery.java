/*
 * 联动签名查询客户端：单个文件，不依赖任何第三方库，可用 JDK 8 编译运行。
 * A client for signed queries to liandong: one file, no dependencies, builds and runs with JDK 8.
 *
 *   javac --release 8 -encoding UTF-8 LiandongQuery.java        (JDK 8: javac -encoding UTF-8 LiandongQuery.java)
 *   java LiandongQuery --key KEY.pem URL > answer.json
 *   java LiandongQuery --key KEY.pem --json QUESTION.json URL
 *
 * It signs the request by RFC 9421 with the system's ECDSA P-256 key (JDK 8 has no Ed25519), prints the answer as it
 * came and keeps the receipt. Exit code 0: answered; 1: refused, failed or unreachable; 2: wrong use.
 */

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.math.BigInteger;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.interfaces.ECPrivateKey;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

public final class LiandongQuery {

    private static final int TIMEOUT_MS = 30_000;

    /** An answer: its exact bytes, the number of its ledger entry, and the receipt's exact bytes. */
    public static final class Answer {
        public final byte[] body;
        public final long entry;
        public final byte[] receipt;

        Answer(byte[] body, long entry, byte[] receipt) {
            this.body = body;
            this.entry = entry;
            this.receipt = receipt;
        }
    }

    /** What went wrong, in Chinese and English; exit code 1, or 2 for wrong use. */
    public static final class QueryException extends Exception {
        private static final long serialVersionUID = 1L;
        public final String zh;
        public final int exitCode;

        QueryException(String zh, String en, int exitCode) {
            super(en);
            this.zh = zh;
            this.exitCode = exitCode;
        }
    }

    private static final class Response {
        byte[] body;
        String entry;
        String receipt;
    }

    private final ECPrivateKey key;
    private final String keyId;
    private final SSLSocketFactory trusted;
    private final SecureRandom random = new SecureRandom();

    /**
     * @param pem the private key's file: PEM, PKCS #8, ECDSA on P-256
     * @param keyId the registered id {@code p256:…}; null takes it from the public key in the file
     * @param ca certificates in PEM that alone are trusted; null trusts the system's
     */
    public LiandongQuery(Path pem, String keyId, Path ca) throws QueryException {
        // A silent second sending would be a replay, which the service refuses.
        System.setProperty("sun.net.http.retryPost", "false");
        System.setProperty("http.keepAlive", "false");
        try {
            checkPrivate(pem);
            byte[] der = decodePem(new String(Files.readAllBytes(pem), StandardCharsets.US_ASCII));
            this.key = (ECPrivateKey) KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(der));
            if (key.getParams().getCurve().getField().getFieldSize() != 256) {
                throw new GeneralSecurityException("not P-256");
            }
            this.keyId = keyId != null ? keyId : keyIdOf(der);
        } catch (IOException | GeneralSecurityException | IllegalArgumentException | ClassCastException error) {
            throw new QueryException(
                "无法读取私钥 " + pem + "（" + error + "）；须为 P-256 的 PKCS#8 PEM 文件",
                "cannot read the private key " + pem + " (" + error + "); want P-256 as PKCS #8 in PEM", 2);
        }
        try {
            this.trusted = ca == null ? null : trusting(ca);
        } catch (IOException | GeneralSecurityException error) {
            throw new QueryException("无法读取证书 " + ca + "（" + error + "）",
                "cannot read the certificates " + ca + " (" + error + ")", 2);
        }
    }

    /**
     * Asks by GET, or with a body (JSON) by POST; then fetches the receipt.
     *
     * @param purpose of {@link #purposeField}, why a GET asks; null with a POST, which says it in its body
     */
    public Answer ask(String url, byte[] body, String purpose, String idempotencyKey) throws QueryException {
        String[] address = address(url);
        Response response = send(address, body, purpose, idempotencyKey);
        if (response.entry == null || !response.entry.matches("[0-9]{1,18}")
                || response.receipt == null || !response.receipt.startsWith("/")) {
            throw new QueryException("答复未注明台账条目，请勿使用",
                "the answer names no ledger entry; do not use it", 1);
        }
        Response receipt = send(new String[] {address[0], address[1], response.receipt}, null, null, null);
        return new Answer(response.body, Long.parseLong(response.entry), receipt.body);
    }

    /** Scheme, host with port, and target of an address, spelled as it is sent and signed. */
    private static String[] address(String url) throws QueryException {
        StringBuilder ascii = new StringBuilder();
        for (byte each : url.getBytes(StandardCharsets.UTF_8)) {
            int c = each & 0xff;
            ascii.append(c > 32 && c < 127 ? String.valueOf((char) c) : String.format("%%%02X", c));
        }
        try {
            URL parsed = new URL(ascii.toString());
            String scheme = parsed.getProtocol();
            if (!scheme.equals("http") && !scheme.equals("https") || parsed.getHost().isEmpty()
                    || parsed.getUserInfo() != null) {
                throw new IOException("scheme or host");
            }
            int port = parsed.getPort();
            boolean own = port == -1 || port == parsed.getDefaultPort();
            String authority = parsed.getHost().toLowerCase(Locale.ROOT) + (own ? "" : ":" + port);
            String target = parsed.getFile().startsWith("/") ? parsed.getFile() : "/" + parsed.getFile();
            return new String[] {scheme, authority, target};
        } catch (IOException error) {
            throw new QueryException(url + " 不是 http 地址", url + " is not an http address", 2);
        }
    }

    /** The field that states a purpose (RFC 9651, an item): its code, and names and texts of what belongs to it. */
    public static String purposeField(String code, String... parts) {
        StringBuilder field = new StringBuilder(code);
        for (int i = 0; i < parts.length; i += 2) {
            String text = parts[i + 1];
            if (text == null) {
                continue;
            }
            field.append("; ").append(parts[i]).append('=');
            if (text.matches("[ -~]*")) {
                field.append('"').append(text.replace("\\", "\\\\").replace("\"", "\\\"")).append('"');
                continue;
            }
            field.append("%\"");
            for (byte each : text.getBytes(StandardCharsets.UTF_8)) {
                int c = each & 0xff;
                boolean plain = c >= 32 && c < 127 && c != '%' && c != '"';
                field.append(plain ? String.valueOf((char) c) : String.format("%%%02x", c));
            }
            field.append('"');
        }
        return field.toString();
    }

    private Response send(String[] address, byte[] body, String purpose, String idempotencyKey)
            throws QueryException {
        String method = body == null ? "GET" : "POST";
        String targetUri = address[0] + "://" + address[1] + address[2];
        try {
            HttpURLConnection connection = (HttpURLConnection) new URL(targetUri).openConnection();
            connection.setInstanceFollowRedirects(false);
            connection.setConnectTimeout(TIMEOUT_MS);
            connection.setReadTimeout(TIMEOUT_MS);
            if (trusted != null && connection instanceof HttpsURLConnection) {
                ((HttpsURLConnection) connection).setSSLSocketFactory(trusted);
            }
            connection.setRequestMethod(method);
            connection.setRequestProperty("Accept", "application/json");
            if (idempotencyKey != null) {
                connection.setRequestProperty("Idempotency-Key", idempotencyKey);
            }
            sign(connection, method, targetUri, purpose, body);
            if (body != null) {
                connection.setRequestProperty("Content-Type", "application/json");
                connection.setDoOutput(true);
                connection.setFixedLengthStreamingMode(body.length);
                try (OutputStream out = connection.getOutputStream()) {
                    out.write(body);
                }
            }
            int status = connection.getResponseCode();
            boolean good = status >= 200 && status < 300;
            Response response = new Response();
            response.body = readAll(good ? connection.getInputStream() : connection.getErrorStream());
            response.entry = connection.getHeaderField("Ledger-Entry");
            response.receipt = connection.getHeaderField("Ledger-Receipt");
            if (!good) {
                throw refused(status, new String(response.body, StandardCharsets.UTF_8));
            }
            return response;
        } catch (IOException | GeneralSecurityException error) {
            throw new QueryException("无法连接 " + targetUri + "（" + error + "）",
                targetUri + " cannot be reached (" + error + ")", 1);
        }
    }

    /** The service's own words and, for a signature that failed, the base that it computed. */
    private static QueryException refused(int status, String said) {
        String zh = member(said, "error_zh");
        String en = member(said, "error_en");
        String base = member(said, "signature_base");
        if (base != null && !base.isEmpty()) {
            en += "\nserver's time " + member(said, "server_time") + "; the signature base that it computed:\n" + base;
        }
        return new QueryException(status + "：" + (zh == null ? said : zh), status + ": " + (en == null ? said : en), 1);
    }

    /** The text of the first member of that name in a JSON text, wherever it is; null where there is none. */
    static String member(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\"\\s*:\\s*\"((?:[^\"\\\\]|\\\\.)*+)\"").matcher(json);
        if (!found.find()) {
            return null;
        }
        String raw = found.group(1);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < raw.length(); i++) {
            char c = raw.charAt(i);
            if (c != '\\') {
                text.append(c);
                continue;
            }
            char escaped = raw.charAt(++i);
            if (escaped == 'u' && i + 4 < raw.length()) {
                text.append((char) Integer.parseInt(raw.substring(i + 1, i + 5), 16));
                i += 4;
            } else {
                text.append(escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped);
            }
        }
        return text.toString();
    }

    /** Adds Content-Digest (RFC 9530, with a body), Signature-Input and Signature (RFC 9421). */
    private void sign(HttpURLConnection connection, String method, String targetUri, String purpose, byte[] body)
            throws GeneralSecurityException {
        byte[] nonce = new byte[16];
        random.nextBytes(nonce);
        String covered = "\"@method\" \"@target-uri\"";
        String lines = "\"@method\": " + method + "\n\"@target-uri\": " + targetUri + "\n";
        if (purpose != null) {
            connection.setRequestProperty("Liandong-Purpose", purpose);
            covered += " \"liandong-purpose\"";
            lines += "\"liandong-purpose\": " + purpose + "\n";
        }
        if (body != null && body.length > 0) {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(body);
            String digest = "sha-256=:" + Base64.getEncoder().encodeToString(hash) + ":";
            connection.setRequestProperty("Content-Digest", digest);
            covered += " \"content-digest\"";
            lines += "\"content-digest\": " + digest + "\n";
        }
        String params = "(" + covered + ");created=" + System.currentTimeMillis() / 1000 + ";keyid=\"" + keyId
            + "\";nonce=\"" + Base64.getUrlEncoder().withoutPadding().encodeToString(nonce) + "\"";
        String base = lines + "\"@signature-params\": " + params;
        Signature signer = Signature.getInstance("SHA256withECDSA");
        signer.initSign(key, random);
        signer.update(base.getBytes(StandardCharsets.US_ASCII));
        String signature = Base64.getEncoder().encodeToString(rawSignature(signer.sign()));
        connection.setRequestProperty("Signature-Input", "sig1=" + params);
        connection.setRequestProperty("Signature", "sig1=:" + signature + ":");
    }

    /** Java gives a signature in DER, SEQUENCE { INTEGER r, INTEGER s }; the RFC wants r and s, 32 bytes each. */
    static byte[] rawSignature(byte[] der) {
        // Both lengths are below 128: one byte each.
        int rLength = der[3];
        int sLength = der[5 + rLength];
        byte[] raw = new byte[64];
        copyInteger(der, 4, rLength, raw, 32);
        copyInteger(der, 6 + rLength, sLength, raw, 64);
        return raw;
    }

    /** An INTEGER may have a zero in front, for its sign, or fewer than 32 bytes: it ends where the field ends. */
    private static void copyInteger(byte[] der, int from, int length, byte[] raw, int end) {
        int used = Math.min(length, 32);
        System.arraycopy(der, from + length - used, raw, end - used, used);
    }

    /**
     * The key's id: {@code p256:} and 32 hex digits of the SHA-256 of its public point (65 bytes), which OpenSSL and
     * most tools put at the end of the private key's file.
     */
    private String keyIdOf(byte[] der) throws GeneralSecurityException {
        int at = der.length - 65;
        if (at < 4 || der[at] != 4 || der[at - 1] != 0 || der[at - 2] != 0x42 || der[at - 3] != 3) {
            throw new GeneralSecurityException(
                "文件中没有公钥，请用 --key-id 给出密钥编号 / no public key in the file: give its id with --key-id");
        }
        byte[] point = Arrays.copyOfRange(der, at, der.length);
        ECPoint w = new ECPoint(
            new BigInteger(1, Arrays.copyOfRange(point, 1, 33)), new BigInteger(1, Arrays.copyOfRange(point, 33, 65)));
        PublicKey pub = KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(w, key.getParams()));
        Signature trial = Signature.getInstance("SHA256withECDSA");
        trial.initSign(key, random);
        trial.update(point);
        byte[] made = trial.sign();
        trial.initVerify(pub);
        trial.update(point);
        if (!trial.verify(made)) {
            throw new GeneralSecurityException("the public key in the file is another key's");
        }
        StringBuilder id = new StringBuilder("p256:");
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(point);
        for (int i = 0; i < 16; i++) {
            id.append(String.format("%02x", hash[i] & 0xff));
        }
        return id.toString();
    }

    private static byte[] decodePem(String pem) throws GeneralSecurityException {
        String begin = "-----BEGIN PRIVATE KEY-----";
        String end = "-----END PRIVATE KEY-----";
        int from = pem.indexOf(begin);
        int to = pem.indexOf(end);
        if (from < 0 || to < from) {
            throw new GeneralSecurityException("no PKCS #8 (BEGIN PRIVATE KEY); convert: openssl pkcs8 -topk8 -nocrypt");
        }
        return Base64.getMimeDecoder().decode(pem.substring(from + begin.length(), to));
    }

    private static void checkPrivate(Path file) throws IOException, QueryException {
        try {
            Set<PosixFilePermission> allowed = Files.getPosixFilePermissions(file);
            for (PosixFilePermission each : allowed) {
                if (!each.name().startsWith("OWNER_")) {
                    throw new QueryException(file + " 可被他人读取；请运行 chmod 600",
                        file + " can be read by others; chmod 600 it", 2);
                }
            }
        } catch (UnsupportedOperationException notPosix) {
            return; // Windows: the folder's own rights protect it
        }
    }

    private static SSLSocketFactory trusting(Path ca) throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        int n = 0;
        for (Certificate each : CertificateFactory.getInstance("X.509")
                .generateCertificates(new ByteArrayInputStream(Files.readAllBytes(ca)))) {
            store.setCertificateEntry("ca" + n++, each);
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context.getSocketFactory();
    }

    private static byte[] readAll(InputStream in) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] part = new byte[8192];
        if (in != null) {
            for (int n = in.read(part); n >= 0; n = in.read(part)) {
                out.write(part, 0, n);
            }
        }
        return out.toByteArray();
    }

    /** Keeps the receipt in a folder, readable by its owner only; returns its path. */
    public static Path save(Answer answer, Path folder) throws IOException {
        Path file = folder.resolve("receipt-" + answer.entry + ".json");
        Files.createDirectories(folder);
        Files.deleteIfExists(file);
        try {
            Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        } catch (UnsupportedOperationException notPosix) {
            Files.createFile(file);
        }
        return Files.write(file, answer.receipt);
    }

    private static String usage() {
        return "用法 usage: java LiandongQuery --key FILE [--key-id ID] [--json FILE|-] [--idempotency-key KEY]\n"
            + "                 [--purpose CODE] [--reference TEXT] [--words TEXT] [--participants \"A B\"]\n"
            + "                 [--receipts DIR] [--ca FILE] URL";
    }

    public static void main(String[] args) throws IOException {
        PrintStream err = new PrintStream(System.err, true, "UTF-8");
        String key = null;
        String keyId = null;
        String json = null;
        String purpose = null;
        String reference = null;
        String words = null;
        String participants = null;
        String idempotencyKey = null;
        String receipts = "receipts";
        String ca = null;
        String url = null;
        for (int i = 0; i < args.length; i++) {
            boolean option = args[i].startsWith("--");
            if (option ? i + 1 == args.length : url != null) {
                err.println(usage());
                System.exit(2);
            }
            switch (args[i]) {
                case "--key": key = args[++i]; break;
                case "--key-id": keyId = args[++i]; break;
                case "--json": json = args[++i]; break;
                case "--purpose": purpose = args[++i]; break;
                case "--reference": reference = args[++i]; break;
                case "--words": words = args[++i]; break;
                case "--participants": participants = args[++i]; break;
                case "--idempotency-key": idempotencyKey = args[++i]; break;
                case "--receipts": receipts = args[++i]; break;
                case "--ca": ca = args[++i]; break;
                default:
                    if (option) {
                        err.println(usage());
                        System.exit(2);
                    }
                    url = args[i];
            }
        }
        if (key == null || url == null) {
            err.println(usage());
            System.exit(2);
        }
        try {
            LiandongQuery client = new LiandongQuery(Paths.get(key), keyId, ca == null ? null : Paths.get(ca));
            byte[] body = json == null ? null : json.equals("-") ? readAll(System.in) : Files.readAllBytes(Paths.get(json));
            String why = purpose == null ? null
                : purposeField(purpose, "reference", reference, "words", words, "participants", participants);
            Answer answer = client.ask(url, body, why, idempotencyKey);
            Path kept = save(answer, Paths.get(receipts));
            System.out.write(answer.body, 0, answer.body.length);
            System.out.flush();
            err.println("台账第 " + answer.entry + " 条 ledger entry " + answer.entry + "，回执 receipt: " + kept);
        } catch (QueryException error) {
            err.println("错误：" + error.zh + "\nError: " + error.getMessage());
            System.exit(error.exitCode);
        } catch (IOException error) {
            err.println("错误：无法读写文件（" + error + "）\nError: a file cannot be read or written (" + error + ")");
            System.exit(2);
        }
    }
}
