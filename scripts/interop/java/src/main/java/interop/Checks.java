package interop;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Objects;

/** What a check found, one JSON object a line on standard output: the runner reads it. */
final class Checks {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

  interface Body {
    void run() throws Exception;
  }

  private Checks() {}

  /** Runs one check under a name that stays the same from run to run; whatever it throws is why it failed. */
  static void check(String name, Body body) {
    try {
      body.run();
      report(name, "passed", "");
    } catch (Skipped skipped) {
      report(name, "skipped", skipped.getMessage());
    } catch (Throwable thrown) {
      report(name, "failed", thrown.getClass().getSimpleName() + ": " + thrown.getMessage());
    }
  }

  static void same(Object expected, Object found) {
    if (!Objects.equals(expected, found)) throw new AssertionError("expected " + expected + ", found " + found);
  }

  static void holds(String what, boolean holds) {
    if (!holds) throw new AssertionError(what);
  }

  static final class Skipped extends RuntimeException {
    Skipped(String message) {
      super(message);
    }
  }

  static String environment(String name) {
    return Objects.requireNonNull(System.getenv(name), name + " is not set");
  }

  private static void report(String check, String outcome, String detail) {
    try {
      String shown = String.valueOf(detail);
      OUT.println(
          JSON.writeValueAsString(
              Map.of("check", check, "outcome", outcome, "detail", shown.substring(0, Math.min(2000, shown.length())))));
    } catch (Exception exception) {
      throw new IllegalStateException(exception);
    }
  }
}
