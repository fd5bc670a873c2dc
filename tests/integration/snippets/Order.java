import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;

public class Order {
  static void pay(Connection connection, long order) throws SQLException {
    String payload = "{\"order\": " + order + "}";
    // SNIPPET
  }

  public static void main(String[] arguments) throws SQLException {
    String server = System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
    try (Connection connection = DriverManager.getConnection("jdbc:postgresql://" + server, System.getenv("PGUSER"), "")) {
      for (String argument : arguments) {
        String end = "paid ";
        try {
          pay(connection, Long.parseLong(argument));
        } catch (SQLException e) {
          end = "refused ";
        }
        System.out.println(end + argument);
      }
    }
  }
}
