using System.Collections.Concurrent;
using Forebay.Core;
using Forebay.DataPlane.Wire;
using Microsoft.Win32.SafeHandles;

namespace Forebay.DataPlane;

/// <summary>One connection of a mount to its node, attached. What is asked through it ends with it at the latest, with nothing lent. Thread-safe.</summary>
internal sealed class BorrowerSession(LendingSocket socket)
{
    /// <summary>Below what the node bears, so that what gave up waiting is counted too.</summary>
    private const int MostQuestions = LenderConnection.MostQuestions / 2;

    private readonly ConcurrentDictionary<ulong, Question> _questions = new();
    private ulong _lastLoan;
    private int _open;
    private volatile bool _isEnded;

    /// <summary>Nothing can be asked any more.</summary>
    internal bool IsEnded => _isEnded;

    /// <summary>Asks for a file; no loan when it is not lent, for whatever reason.</summary>
    /// <param name="wish">What.</param>
    /// <param name="patience">Longest wait.</param>
    /// <param name="time">Clock of it.</param>
    /// <param name="isRenewal">The one question at a time that renews what is held: it has its place.</param>
    /// <param name="cancellationToken">Ends this wait.</param>
    internal async ValueTask<Loan> BorrowAsync(LoanWish wish, TimeSpan patience, TimeProvider time, bool isRenewal, CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _open) > MostQuestions && !isRenewal)
        {
            Interlocked.Decrement(ref _open);
            return default;
        }

        ulong loan = Interlocked.Increment(ref _lastLoan);
        Question question = new(wish.Length);
        _questions[loan] = question;
        if (!TryAsk(loan, wish) || _isEnded)
        {
            Close(loan, question, default);
        }

        try
        {
            return await question.Answer.WaitAsync(patience, time, cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // The answer may still come: whoever receives it gives it back then.
            if (question.TryGiveUp())
            {
                cancellationToken.ThrowIfCancellationRequested();
                return default;
            }

            return await question.Answer;
        }
    }

    /// <summary>Receives answers until the connection ends.</summary>
    /// <exception cref="MalformedLendingException">The node does not keep to the protocol.</exception>
    internal void Receive()
    {
        Span<byte> buffer = stackalloc byte[LendingMessage.MaxBytes];
        while (socket.Receive(buffer, out SafeFileHandle? descriptor) is > 0 and int length)
        {
            try
            {
                LendingReader message = new(buffer[..length]);
                message.Expect(LendingMessageKind.Lent);
                ulong loan = message.Number();
                LendingOutcome outcome = message.Outcome();
                message.End();
                if (!_questions.TryGetValue(loan, out Question? question) || (outcome == LendingOutcome.Lent) != (descriptor is not null))
                {
                    throw new MalformedLendingException("an answer came to what was not asked, or without what it promised");
                }

                if (descriptor is not null && !IsWhole(descriptor, question.Length))
                {
                    throw new MalformedLendingException("a descriptor came that can be written, or has another length than the object");
                }

                Close(loan, question, descriptor is null ? default : new Loan(this, loan, descriptor));
                descriptor = null;
            }
            finally
            {
                descriptor?.Dispose();
            }
        }
    }

    /// <summary>Nothing is lent any more; what was stays readable.</summary>
    internal void End()
    {
        _isEnded = true;
        foreach ((ulong loan, Question question) in _questions)
        {
            Close(loan, question, default);
        }
    }

    /// <summary>Read-only, and as long as the object. Of what kind the file is was the node's to know.</summary>
    private static bool IsWhole(SafeFileHandle descriptor, long length)
    {
        try
        {
            return (Native.Control(descriptor, Native.GetFileFlags, 0) & Native.AccessModeMask) == 0 && RandomAccess.GetLength(descriptor) == length;
        }
        catch (Exception e) when (e is IOException or NotSupportedException)
        {
            return false;
        }
    }

    /// <summary>Tells the node that a loan is not needed any more.</summary>
    internal void Return(ulong loan)
    {
        Span<byte> buffer = stackalloc byte[16];
        LendingMessage message = new(buffer, LendingMessageKind.Return);
        message.Number(loan);
        TrySend(message.Bytes);
    }

    private bool TryAsk(ulong loan, LoanWish wish)
    {
        Span<byte> buffer = stackalloc byte[LendingMessage.MaxBytes];
        LendingMessage borrow = new(buffer, LendingMessageKind.Borrow);
        borrow.Number(loan);
        borrow.Number((ulong)wish.Length);
        borrow.Text(wish.Key);
        borrow.Text(wish.ETag);
        return TrySend(borrow.Bytes);
    }

    private bool TrySend(ReadOnlySpan<byte> message)
    {
        if (socket.TrySend(message))
        {
            return true;
        }

        // A node that does not read would never take back what is returned: without the connection it does.
        socket.Shutdown();
        return false;
    }

    private void Close(ulong number, Question question, in Loan loan)
    {
        if (!_questions.TryRemove(number, out _))
        {
            loan.GiveBack();
            return;
        }

        Interlocked.Decrement(ref _open);
        if (!question.TryAnswer(loan))
        {
            loan.GiveBack();
        }
    }

    /// <summary>What was asked and by whom it is waited for.</summary>
    private sealed class Question(long length)
    {
        private readonly TaskCompletionSource<Loan> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal long Length { get; } = length;

        internal Task<Loan> Answer => _answer.Task;

        internal bool TryAnswer(in Loan loan) => _answer.TrySetResult(loan);

        internal bool TryGiveUp() => _answer.TrySetResult(default);
    }
}
