// Porcupine, judging the same histories as our checkers, to compare how long both take.
//
// It answers a line of JSON for each line of JSON on its standard input:
//
//	{"load": PATH}                                      -> {"operations": N}
//	{"judge": PATH, "timeout_ns": N, "memory_bytes": N} -> {"result": "Ok" | "Illegal" | "Unknown" | "Memory", "ns": N}
//
// Only Porcupine's own work is timed. It has no limit of memory of its own: where it reaches the given one, that
// is the answer, and the process ends.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/anishathalye/porcupine"
)

type request struct {
	Load        string `json:"load"`
	Judge       string `json:"judge"`
	TimeoutNs   int64  `json:"timeout_ns"`
	MemoryBytes uint64 `json:"memory_bytes"`
}

// columns has an entry an operation. Returned is -1 for one that crashed; its result is not known.
//
// Of registers, Kind is read, write, cas or miss, A is what was read, written or expected, and B what a cas
// leaves; 0 is the initial value. Of lists, Kind is append or read, A is what was appended, and a read's
// content is Contents[First[i]:First[i+1]].
type columns struct {
	Model    string  `json:"model"`
	Keyed    bool    `json:"keyed"`
	Kind     []int   `json:"kind"`
	A        []int   `json:"a"`
	B        []int   `json:"b"`
	Key      []int   `json:"key"`
	Invoked  []int64 `json:"invoked"`
	Returned []int64 `json:"returned"`
	First    []int   `json:"first"`
	Contents []int   `json:"contents"`
}

type history struct {
	model      porcupine.Model
	operations []porcupine.Operation
}

func main() {
	histories := map[string]history{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fail(err)
		}
		if asked.Load != "" {
			loaded, err := load(asked.Load)
			if err != nil {
				fail(err)
			}
			histories[asked.Load] = loaded
			answer(map[string]any{"operations": len(loaded.operations)})
			continue
		}
		known, there := histories[asked.Judge]
		if !there {
			fail(fmt.Errorf("%q was not loaded", asked.Judge))
		}
		judge(known, asked)
	}
}

func judge(known history, asked request) {
	// What earlier calls left behind is not to be paid for by this one.
	runtime.GC()
	type outcome struct {
		result porcupine.CheckResult
		took   time.Duration
	}
	done := make(chan outcome, 1)
	go func() {
		began := time.Now()
		result := porcupine.CheckOperationsTimeout(known.model, known.operations, time.Duration(asked.TimeoutNs))
		done <- outcome{result, time.Since(began)}
	}()
	began := time.Now()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case found := <-done:
			answer(map[string]any{"result": found.result, "ns": found.took.Nanoseconds()})
			if found.result == porcupine.Unknown {
				debug.FreeOSMemory()
			}
			return
		case <-look.C:
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			if memory.HeapAlloc > asked.MemoryBytes {
				answer(map[string]any{"result": "Memory", "ns": time.Since(began).Nanoseconds()})
				os.Exit(0)
			}
		}
	}
}

func load(path string) (history, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return history{}, err
	}
	var from columns
	if err := json.Unmarshal(text, &from); err != nil {
		return history{}, fmt.Errorf("%s: %w", path, err)
	}
	switch from.Model {
	case "register":
		return history{registers(from.Keyed), operations(from, registerCall)}, nil
	case "append":
		return history{lists(from.Keyed), operations(from, listCall)}, nil
	}
	return history{}, fmt.Errorf("%s: no model %q; expected register or append", path, from.Model)
}

// operations that crashed return together, after all else.
func operations(from columns, call func(columns, int) any) []porcupine.Operation {
	var end int64
	for i := range from.Kind {
		end = max(end, from.Invoked[i]+1, from.Returned[i]+1)
	}
	found := make([]porcupine.Operation, len(from.Kind))
	for i := range from.Kind {
		crashed, returned := from.Returned[i] < 0, from.Returned[i]
		if crashed {
			returned = end
		}
		found[i] = porcupine.Operation{
			Input: call(from, i), Call: from.Invoked[i], Output: crashed, Return: returned,
		}
	}
	return found
}

const (
	read = iota
	write
	cas
	miss
)

type register struct{ kind, a, b, key int }

func registerCall(from columns, i int) any {
	return register{from.Kind[i], from.A[i], from.B[i], from.Key[i]}
}

// registers are modelled one at a time: a history of many is partitioned by key.
func registers(keyed bool) porcupine.Model {
	model := porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, input, output any) (bool, any) {
			now, call := state.(int), input.(register)
			switch call.kind {
			case read:
				return now == call.a, state
			case write:
				return true, call.a
			case miss:
				return now != call.a, state
			}
			if now == call.a {
				return true, call.b
			}
			return output.(bool), state
		},
	}
	if keyed {
		model.Partition = byKey(func(input any) int { return input.(register).key })
	}
	return model
}

type list struct {
	appends bool
	text    string
	key     int
}

// listCall has elements as texts of four bytes, so that a list is one text, which is what is compared fastest.
func listCall(from columns, i int) any {
	if from.Kind[i] == 1 {
		return list{true, text(from.A[i : i+1]), from.Key[i]}
	}
	return list{false, text(from.Contents[from.First[i]:from.First[i+1]]), from.Key[i]}
}

func text(elements []int) string {
	var bytes []byte
	for _, element := range elements {
		bytes = binary.LittleEndian.AppendUint32(bytes, uint32(element))
	}
	return string(bytes)
}

var seed = maphash.MakeSeed()

func lists(keyed bool) porcupine.Model {
	model := porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, input, _ any) (bool, any) {
			call := input.(list)
			if call.appends {
				return true, state.(string) + call.text
			}
			return state.(string) == call.text, state
		},
		// Appends in another order leave another list: this tells them apart without comparing.
		Hash: func(state any) uint64 { return maphash.String(seed, state.(string)) },
	}
	if keyed {
		model.Partition = byKey(func(input any) int { return input.(list).key })
	}
	return model
}

func byKey(keyOf func(any) int) func([]porcupine.Operation) [][]porcupine.Operation {
	return func(all []porcupine.Operation) [][]porcupine.Operation {
		at := map[int]int{}
		var parts [][]porcupine.Operation
		for _, operation := range all {
			key := keyOf(operation.Input)
			part, there := at[key]
			if !there {
				part = len(parts)
				at[key] = part
				parts = append(parts, nil)
			}
			parts[part] = append(parts[part], operation)
		}
		return parts
	}
}

func answer(what map[string]any) {
	line, err := json.Marshal(what)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(line))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "porcupine:", err)
	os.Exit(1)
}
