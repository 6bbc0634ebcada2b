using System.Diagnostics;
using System.Security.Cryptography;
using Forebay.Core;
using Forebay.DataPlane.Wire;
using Forebay.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;

namespace Forebay.DataPlane.Tests;

/// <summary>Bytes that nobody should send: they end their own connection and nothing else.</summary>
public sealed class HostileMessageTests
{
    private const int Refused = 5002;
    private const int Borrowing = 5003;
    private const int NotBorrowing = 5004;
    private const int Suppressed = 5006;

    [Fact]
    public void EveryTruncationOfEveryMessageIsRejectedAndSoIsAnyByteMore()
    {
        foreach (byte[] message in Valid())
        {
            Parse(message);
            for (int length = 0; length < message.Length; length++)
            {
                Assert.Throws<MalformedLendingException>(() => Parse(message.AsSpan(0, length)));
            }

            Assert.Throws<MalformedLendingException>(() => Parse([.. message, 0]));
        }
    }

    [Fact]
    public void AnotherProtocolAndAnotherVersionOfThisOneAreRejected()
    {
        byte[] magic = Valid()[5];
        byte[] version = Valid()[5];
        magic[0] ^= 1;
        version[4]++;

        Assert.Contains("no message of this protocol", Assert.Throws<MalformedLendingException>(() => Parse(magic)).Message, StringComparison.Ordinal);
        Assert.Contains($"version {LendingMessage.ProtocolVersion + 1} ", Assert.Throws<MalformedLendingException>(() => Parse(version)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ATextIsNoLongerThanMayBe()
    {
        Parse(WithKey(LendingMessage.MaxTextBytes));
        Assert.Throws<MalformedLendingException>(() => Parse(WithKey(LendingMessage.MaxTextBytes + 1)));

        static byte[] WithKey(int bytes)
        {
            LendingMessage borrow = new(new byte[LendingMessage.MaxBytes], LendingMessageKind.Borrow);
            borrow.Number(1);
            borrow.Number(7);
            borrow.Raw([(byte)bytes, (byte)(bytes >> 8), .. Enumerable.Repeat((byte)'k', bytes)]);
            borrow.Text("\"e\"");
            return borrow.Bytes.ToArray();
        }
    }

    [Fact]
    public void MutatedMessagesAreReadOrRejected()
    {
        int seed = RandomNumberGenerator.GetInt32(int.MaxValue);
        Random random = new(seed);
        byte[][] valid = Valid();
        for (int i = 0; i < 40_000; i++)
        {
            byte[] message = Mutate(valid[random.Next(valid.Length)], random);
            try
            {
                Parse(message);
            }
            catch (MalformedLendingException)
            {
                // As it should be.
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}, mutant {i}: {e}");
            }
        }
    }

    [Fact]
    public async Task ANodeOutlivesHostileMountsAndServesOthers()
    {
        await using LendingWorld world = new();
        ObjectStat stat = await world.BringAsync("dir/a", 100_000);
        FileBorrower good = world.Connected();
        int seed = RandomNumberGenerator.GetInt32(int.MaxValue);
        Random random = new(seed);
        byte[] buffer = new byte[LendingMessage.MaxBytes];
        for (int i = 0; i < 400; i++)
        {
            using LendingSocket socket = LendingSocket.Connect(world.Options.Path);
            int length = socket.Receive(buffer, out _);
            Assert.True(length == 56, $"seed {seed}, connection {i}: no greeting");
            if (i % 2 == 0)
            {
                Attach(socket, buffer.AsSpan(0, length));
                Assert.True(socket.Receive(buffer, out _) > 0);
            }

            for (int n = 0; n < 20; n++)
            {
                byte[][] valid = Valid(stat);
                socket.TrySend(Mutate(valid[random.Next(valid.Length)], random));
            }

            if (i % 50 == 0)
            {
                using FileSegment file = await good.BorrowAsync(stat, CancellationToken.None);
                Assert.True(!file.IsEmpty, $"seed {seed}: nothing is lent any more after {i} connections");
            }
        }

        LendingWorld.Eventually("only the good one is left", () => world.Lender is { Connections: 1, LentFiles: 0 });
    }

    [Fact]
    public async Task AMessageThatIsTooLargeEndsItsConnection()
    {
        await using LendingWorld world = new();
        using LendingSocket socket = LendingSocket.Connect(world.Options.Path);
        byte[] buffer = new byte[LendingMessage.MaxBytes];
        socket.Receive(buffer, out _);

        socket.TrySend(new byte[LendingMessage.MaxBytes + 1]);

        Assert.Equal(0, socket.Receive(buffer, out _));
    }

    [Fact]
    public async Task AMountThatReturnsWhatItWasNotLentIsTurnedOut()
    {
        await using LendingWorld world = new();
        using LendingSocket socket = Attached(world);
        byte[] buffer = new byte[LendingMessage.MaxBytes];
        LendingMessage message = new(buffer, LendingMessageKind.Return);
        message.Number(99);

        Assert.True(socket.TrySend(message.Bytes));

        LendingWorld.Eventually("its connection has ended", () => world.Lender.Connections == 0);
    }

    [Fact]
    public async Task AMountThatAsksTooMuchAtATimeIsTurnedOut()
    {
        await using LendingWorld world = new(metadataTtl: TimeSpan.Zero);
        ObjectStat stat = await world.BringAsync("a", 1000);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.OnEvery(UnderStoreCall.Stat, Fault.StallUntil(release.Task)).OnEvery(UnderStoreCall.List, Fault.StallUntil(release.Task));
        using LendingSocket socket = Attached(world);
        byte[] buffer = new byte[LendingMessage.MaxBytes];

        for (ulong loan = 0; loan <= LenderConnection.MostQuestions; loan++)
        {
            LendingMessage message = new(buffer, LendingMessageKind.Borrow);
            message.Number(loan);
            message.Number((ulong)stat.Length);
            message.Text(stat.Key);
            message.Text(stat.ETag);
            while (!socket.TrySend(message.Bytes) && world.Lender.Connections > 0)
            {
                Thread.Yield();
            }
        }

        LendingWorld.Eventually("its connection has ended", () => world.Lender.Connections == 0);
        release.SetResult();
    }

    /// <summary>Cut off, it must not be taken for what its beginning says.</summary>
    [Fact]
    public void AMessageThatIsTooLargeIsNotReadInPart()
    {
        using TempDirectory directory = new();
        using LendingSocket listener = LendingSocket.Listen(directory["socket"]);
        using LendingSocket sender = LendingSocket.Connect(directory["socket"]);
        using LendingSocket receiver = listener.Accept(out _)!;
        byte[] message = Valid()[5];
        byte[] buffer = new byte[message.Length];

        Assert.True(sender.TrySend(message) && sender.TrySend([.. message, 0]));

        Assert.Equal(message.Length, receiver.Receive(buffer, out _));
        Assert.Throws<MalformedLendingException>(() => receiver.Receive(buffer, out _));
    }

    [Fact]
    public void ANodeThatHangsUpOnWhomItTookIsAskedMoreSeldomEachTimeAndThatIsSaidOnce()
    {
        using TempDirectory directory = new();
        using LendingSocket listener = LendingSocket.Listen(directory["socket"]);
        LoggedEvents log = new();
        ManualTimeProvider time = new();
        using FileBorrower borrower = new(new FileBorrowerOptions { Path = directory["socket"], Mount = "data" }, time, log);
        byte[] buffer = new byte[LendingMessage.MaxBytes];
        borrower.Start();

        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < 4; i++)
        {
            using LendingSocket shortly = listener.Accept(out _)!;
            LetAttach(shortly, buffer);
        }

        using (LendingSocket lasting = listener.Accept(out _)!)
        {
            Assert.True(Stopwatch.GetElapsedTime(started) > TimeSpan.FromMilliseconds(100 + 200 + 400 + 800 - 50), $"four times asked again within {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms");
            Assert.Single(log.LinesOf(NotBorrowing));
            Assert.Equal(2, log.LinesOf(Borrowing).Length);
            LetAttach(lasting, buffer);
            LendingWorld.Eventually("the mount is connected", () => borrower.IsAvailable);
            time.Advance(TimeSpan.FromSeconds(5));
        }

        using LendingSocket again = listener.Accept(out _)!;
        Assert.Equal(2, log.LinesOf(NotBorrowing).Length);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(60));
    }

    /// <summary>A mount gives back at once what it kept ready for passthrough, 512 files at most; its node may be busy meanwhile.</summary>
    [Fact]
    public async Task AsManyReturnsAsAMountSendsAtOnceDoNotEndItsConnection()
    {
        const int Files = 512;
        using TempDirectory directory = new();
        using LendingSocket listener = LendingSocket.Listen(directory["socket"]);
        using FileBorrower borrower = new(new FileBorrowerOptions { Path = directory["socket"], Mount = "data" }, TimeProvider.System, NullLogger.Instance);
        borrower.Start();
        using LendingSocket node = listener.Accept(out _)!;
        byte[] buffer = new byte[LendingMessage.MaxBytes];
        LetAttach(node, buffer);
        LendingWorld.Eventually("the mount is connected", () => borrower.IsAvailable);
        await File.WriteAllBytesAsync(directory["file"], new byte[100]);
        using SafeFileHandle handle = File.OpenHandle(directory["file"]);
        ObjectStat stat = new("a", 100, new VersionToken("e"), DateTimeOffset.UnixEpoch) { ETag = "\"e\"" };
        FileSegment[] borrowed = new FileSegment[Files];
        for (int i = 0; i < Files; i++)
        {
            Task<FileSegment> borrowing = borrower.BorrowAsync(stat, CancellationToken.None).AsTask();
            Assert.True(node.Receive(buffer, out _) > 0, "asked for nothing");
            node.TrySend(Lent((ulong)i + 1, LendingOutcome.Lent), handle);
            borrowed[i] = await borrowing;
            Assert.False(borrowed[i].IsEmpty);
        }

        Array.ForEach(borrowed, static file => file.Dispose());

        HashSet<ulong> returned = [];
        for (int i = 0; i < Files; i++)
        {
            int length = node.Receive(buffer, out _);
            Assert.True(length > 0, $"the mount hung up after {i} of {Files}");
            LendingReader message = new(buffer.AsSpan(0, length));
            message.Expect(LendingMessageKind.Return);
            returned.Add(message.Number());
        }

        Assert.Equal((Files, true), (returned.Count, borrower.IsAvailable));
    }

    [Fact]
    public async Task MountsThatAreRefusedWithoutEndDoNotFillTheLog()
    {
        await using LendingWorld world = new();
        byte[] buffer = new byte[LendingMessage.MaxBytes];
        for (int i = 0; i < 30; i++)
        {
            Refuse();
        }

        Assert.Equal(LenderLog.LinesPerSecond, world.Log.LinesOf(Refused).Length);
        Assert.Empty(world.Log.LinesOf(Suppressed));
        world.LogTime.Advance(TimeSpan.FromSeconds(1));
        Refuse();
        Assert.Equal(LenderLog.LinesPerSecond + 1, world.Log.LinesOf(Refused).Length);
        Assert.StartsWith("20 more", Assert.Single(world.Log.LinesOf(Suppressed)), StringComparison.Ordinal);

        void Refuse()
        {
            using LendingSocket socket = LendingSocket.Connect(world.Options.Path);
            int length = socket.Receive(buffer, out _);
            buffer.AsSpan(24, length - 24).Clear();
            Attach(socket, buffer.AsSpan(0, length));
            Assert.True(socket.Receive(buffer, out _) > 0, "no answer");
        }
    }

    [Fact]
    public async Task ANodeThatLendsWhatItMustNotIsNotBelieved()
    {
        await using LendingWorld world = new();
        ObjectStat stat = await world.BringAsync("a", 1000);
        world.StopLender();
        string file = world.Directory["file"];
        await File.WriteAllBytesAsync(file, new byte[1000]);
        await File.WriteAllBytesAsync(world.Directory["short"], new byte[999]);

        Assert.True(await LendsAsync(world, stat, file, FileAccess.Read), "a good one is taken");
        Assert.False(await LendsAsync(world, stat, file, FileAccess.ReadWrite), "one that can be written");
        Assert.False(await LendsAsync(world, stat, world.Directory["short"], FileAccess.Read), "one of another length");
        Assert.False(await LendsAsync(world, stat, null, FileAccess.Read), "none");
        Assert.False(await LendsAsync(world, stat, file, FileAccess.Read, LendingOutcome.Full), "one that it says it does not lend");
    }

    /// <summary>Plays a node that lends a file to the first mount that asks; true when the mount took it. If not, it has ended the connection.</summary>
    private static async Task<bool> LendsAsync(LendingWorld world, ObjectStat stat, string? file, FileAccess access, LendingOutcome outcome = LendingOutcome.Lent)
    {
        using LendingSocket listener = LendingSocket.Listen(world.Options.Path);
        using FileBorrower borrower = new(new FileBorrowerOptions { Path = world.Options.Path, Mount = "data" }, TimeProvider.System, NullLogger.Instance);
        borrower.Start();
        using LendingSocket mount = listener.Accept(out _)!;
        byte[] buffer = new byte[LendingMessage.MaxBytes];
        LetAttach(mount, buffer);
        LendingWorld.Eventually("the mount is connected", () => borrower.IsAvailable);
        Task<FileSegment> borrowing = borrower.BorrowAsync(stat, CancellationToken.None).AsTask();
        mount.Receive(buffer, out _);
        using SafeFileHandle? handle = file is null ? null : File.OpenHandle(file, FileMode.Open, access, FileShare.ReadWrite);
        listener.Shutdown();
        mount.TrySend(Lent(1, outcome), handle);
        using FileSegment got = await borrowing;
        if (got.IsEmpty)
        {
            LendingWorld.Eventually("the connection has ended", () => !borrower.IsAvailable);
        }

        return !got.IsEmpty;
    }

    private static byte[] Lent(ulong loan, LendingOutcome outcome)
    {
        LendingMessage lent = new(new byte[32], LendingMessageKind.Lent);
        lent.Number(loan);
        lent.Outcome(outcome);
        return lent.Bytes.ToArray();
    }

    /// <summary>Plays a node that takes a mount.</summary>
    private static void LetAttach(LendingSocket mount, byte[] buffer)
    {
        mount.TrySend(Valid()[0]);
        mount.Receive(buffer, out _);
        mount.TrySend(Valid()[2]);
    }

    private static LendingSocket Attached(LendingWorld world)
    {
        LendingSocket socket = LendingSocket.Connect(world.Options.Path);
        byte[] buffer = new byte[LendingMessage.MaxBytes];
        Attach(socket, buffer.AsSpan(0, socket.Receive(buffer, out _)));
        Assert.True(socket.Receive(buffer, out _) > 0);
        Assert.Equal(1, world.Lender.Connections);
        return socket;
    }

    private static void Attach(LendingSocket socket, ReadOnlySpan<byte> greeting)
    {
        byte[] bytes = new byte[LendingMessage.MaxBytes];
        Span<byte> proof = stackalloc byte[LendingMessage.ProofBytes];
        LendingProof.Compute(LendingWorld.Secret, new Guid(greeting.Slice(8, 16)), greeting[24..], LendingWorld.Key, "data", proof);
        LendingMessage attach = new(bytes, LendingMessageKind.Attach);
        attach.Raw(proof);
        attach.Text(LendingWorld.Key);
        attach.Text("data");
        Assert.True(socket.TrySend(attach.Bytes));
    }

    private static byte[] Mutate(byte[] message, Random random)
    {
        List<byte> bytes = [.. message];
        for (int i = random.Next(4); i >= 0; i--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(4))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                default:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
            }

            if (bytes.Count == 0)
            {
                bytes.Add(0);
            }
        }

        return [.. bytes];
    }

    private static void Parse(ReadOnlySpan<byte> bytes)
    {
        LendingReader message = new(bytes);
        switch (message.Kind)
        {
            case LendingMessageKind.Hello:
                message.Raw(16 + LendingMessage.ChallengeBytes);
                break;
            case LendingMessageKind.Attach:
                message.Raw(LendingMessage.ProofBytes);
                message.Text();
                message.Text();
                break;
            case LendingMessageKind.Attached:
                message.Outcome();
                break;
            case LendingMessageKind.Borrow:
                message.Number();
                message.Number();
                message.Text();
                message.Text();
                break;
            case LendingMessageKind.Lent:
                message.Number();
                message.Outcome();
                break;
            case LendingMessageKind.Return:
                message.Number();
                break;
            default:
                throw new MalformedLendingException("of no kind");
        }

        message.End();
    }

    private static byte[][] Valid(ObjectStat? stat = null)
    {
        return
        [
            Make(LendingMessageKind.Hello, static (ref LendingMessage message, ObjectStat? _) => message.Raw(new byte[16 + LendingMessage.ChallengeBytes]), stat),
            Make(LendingMessageKind.Attach, static (ref LendingMessage message, ObjectStat? _) =>
            {
                message.Raw(new byte[LendingMessage.ProofBytes]);
                message.Text(LendingWorld.Key);
                message.Text("data");
            }, stat),
            Make(LendingMessageKind.Attached, static (ref LendingMessage message, ObjectStat? _) => message.Outcome(LendingOutcome.Lent), stat),
            Make(LendingMessageKind.Borrow, static (ref LendingMessage message, ObjectStat? of) =>
            {
                message.Number(1);
                message.Number((ulong)(of?.Length ?? 7));
                message.Text(of?.Key ?? "dir/ü");
                message.Text(of?.ETag ?? "\"e\"");
            }, stat),
            Make(LendingMessageKind.Lent, static (ref LendingMessage message, ObjectStat? _) =>
            {
                message.Number(1);
                message.Outcome(LendingOutcome.Full);
            }, stat),
            Make(LendingMessageKind.Return, static (ref LendingMessage message, ObjectStat? _) => message.Number(1), stat),
        ];
    }

    private delegate void Fields(ref LendingMessage message, ObjectStat? stat);

    private static byte[] Make(LendingMessageKind kind, Fields fields, ObjectStat? stat)
    {
        LendingMessage message = new(new byte[LendingMessage.MaxBytes], kind);
        fields(ref message, stat);
        return message.Bytes.ToArray();
    }
}
