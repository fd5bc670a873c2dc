package outbox.bench;

import io.namastack.outbox.annotation.OutboxHandler;
import io.namastack.outbox.handler.OutboxRecordMetadata;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.core.KafkaTemplate;

/**
 * An application that contains only Namastack Outbox, which polls the outbox and publishes each event to Kafka.
 *
 * <p>The handler does the same as that of Namastack's Kafka module (KafkaOutboxHandler): it sends the record and waits for the
 * acknowledgement, because an event counts as completed when its handler returns. The module itself is not used, because it could
 * not be fetched with Maven in this version.
 */
@SpringBootApplication
public class Forwarder {
  /** An event, as the outbox holds it in JSON. */
  public record Event(String topic, String type, String payload) {}

  /** The rows of the outbox refer to it by the name of its class, its method and the types of the parameters. */
  public static class Handler {
    private final KafkaTemplate<String, String> kafka;

    Handler(KafkaTemplate<String, String> kafka) {
      this.kafka = kafka;
    }

    @OutboxHandler
    public void handle(Event event, OutboxRecordMetadata metadata) throws Exception {
      kafka.send(event.topic(), metadata.getKey(), event.payload()).get();
    }
  }

  @Bean
  Handler handler(KafkaTemplate<String, String> kafka) {
    return new Handler(kafka);
  }

  public static void main(String[] arguments) throws InterruptedException {
    SpringApplication.run(Forwarder.class, arguments);
    Thread.currentThread().join();
  }
}
