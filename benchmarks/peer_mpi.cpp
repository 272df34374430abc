// The peer: processes of MPI. Rank 0 prints the seconds of one round:
//   peer_mpi tasks COUNT              of a task that squares a number, each sent alone to a rank that is free
//   peer_mpi pipe SIZE TIMES round|one    of a message of SIZE bytes there and back, or there alone
#include <mpi.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr int work = 1;
constexpr int over = 2;

/// The others: answer each number by its square.
void serve_tasks() {
  for (;;) {
    int number = 0;
    MPI_Status status;
    MPI_Recv(&number, 1, MPI_INT, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
    if (status.MPI_TAG == over) return;
    number *= number;
    MPI_Send(&number, 1, MPI_INT, 0, work, MPI_COMM_WORLD);
  }
}

double hand_out_tasks(int ranks, int count) {
  std::vector<int> results;
  const double start = MPI_Wtime();
  int sent = 0;
  for (int rank = 1; rank < ranks && sent < count; ++rank, ++sent)
    MPI_Send(&sent, 1, MPI_INT, rank, work, MPI_COMM_WORLD);
  while (static_cast<int>(results.size()) < count) {
    int result = 0;
    MPI_Status status;
    MPI_Recv(&result, 1, MPI_INT, MPI_ANY_SOURCE, work, MPI_COMM_WORLD, &status);
    results.push_back(result);
    if (sent == count) continue;
    MPI_Send(&sent, 1, MPI_INT, status.MPI_SOURCE, work, MPI_COMM_WORLD);
    ++sent;
  }
  const double seconds = (MPI_Wtime() - start) / count;
  for (int rank = 1; rank < ranks; ++rank) MPI_Send(&count, 1, MPI_INT, rank, over, MPI_COMM_WORLD);
  return seconds;
}

/// Both ranks; the first round is not counted, and one way the last is answered.
double exchange(int rank, int size, int times, bool back) {
  std::vector<char> message(static_cast<std::size_t>(size), 'x');
  const auto pass = [&](int sender) {
    if (rank == sender)
      MPI_Send(message.data(), size, MPI_BYTE, 1 - rank, work, MPI_COMM_WORLD);
    else
      MPI_Recv(message.data(), size, MPI_BYTE, 1 - rank, work, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  };
  double start = 0;
  for (int i = -1; i < times; ++i) {
    if (i == 0) start = MPI_Wtime();
    pass(0);
    if (back || i + 1 == times) pass(1);
  }
  return (MPI_Wtime() - start) / times;
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0;
  int ranks = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  double seconds = 0;
  if (argc == 5 && std::strcmp(argv[1], "pipe") == 0)
    seconds = exchange(rank, std::atoi(argv[2]), std::atoi(argv[3]), std::strcmp(argv[4], "round") == 0);
  else if (argc == 3 && rank == 0)
    seconds = hand_out_tasks(ranks, std::atoi(argv[2]));
  else
    serve_tasks();
  if (rank == 0) std::printf("%.12f\n", seconds);
  MPI_Finalize();
}
