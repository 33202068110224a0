import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Scenarios of a Java client: a name each, and what is known to happen in it. {@code list} prints the names;
 * {@code run NAME FILE} runs one and writes its labels. N is reckoned from the rows, by whoever wrote the loop.
 */
final class Labels {
    private static final int THRESHOLD = 5;

    interface Page {
        void run() throws Exception;
    }

    private final Map<String, Page> scenarios = new LinkedHashMap<>();
    private final StringBuilder labels = new StringBuilder();

    void scenario(String name, Page page) {
        scenarios.put(name, page);
    }

    /** The child is asked n times for rows of the parent; both are pieces of their texts. */
    void expectLoop(String parent, String child, int n) {
        if (n >= THRESHOLD) {
            labels.append("loop\t" + parent + "\t" + child + "\t" + n + "\n");
        }
    }

    void expectRepeat(String kind, int n) {
        labels.append("repeat\t" + kind + "\t" + n + "\n");
    }

    void main(String[] words, String versions) throws Exception {
        if (words[0].equals("list")) {
            System.out.println("version\t" + versions);
            scenarios.keySet().forEach(name -> System.out.println("scenario\t" + name));
            return;
        }
        scenarios.get(words[1]).run();
        Files.writeString(Path.of(words[2]), labels);
    }
}
