package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"

	_ "github.com/lib/pq"
)

func pay(ctx context.Context, db *sql.DB, order int) error {
	payload := fmt.Sprintf(`{"order": %d}`, order)
	// SNIPPET
}

func main() {
	db, err := sql.Open("postgres", "")
	if err != nil {
		panic(err)
	}
	for _, argument := range os.Args[1:] {
		order, _ := strconv.Atoi(argument)
		if pay(context.Background(), db, order) == nil {
			fmt.Println("paid", order)
		} else {
			fmt.Println("refused", order)
		}
	}
}
