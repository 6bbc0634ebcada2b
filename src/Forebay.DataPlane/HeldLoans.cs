using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.DataPlane;

/// <summary>
/// What a mount has borrowed and not given back, over all its connections. A node that comes back knows nothing of it, and would neither count nor
/// keep it: each new connection borrows it again. Thread-safe.
/// </summary>
internal sealed class HeldLoans
{
    private readonly Lock _lock = new();
    private readonly HashSet<HeldLoan> _loans = [];

    /// <summary>Takes note of a loan; the segment gives it back when it is disposed.</summary>
    internal FileSegment Add(in Loan loan, LoanWish wish)
    {
        HeldLoan held = new(this, loan, wish);
        lock (_lock)
        {
            _loans.Add(held);
        }

        return new FileSegment(loan.Descriptor!, 0, wish.Length, held);
    }

    /// <summary>Borrows through a new connection what was borrowed through others. Ends early with that connection.</summary>
    /// <param name="session">Attached.</param>
    /// <param name="borrow">Asks the node through it.</param>
    internal async Task RenewAsync(BorrowerSession session, Func<LoanWish, ValueTask<Loan>> borrow)
    {
        (HeldLoan Held, Loan Known)[] others;
        lock (_lock)
        {
            others = [.. _loans.Where(loan => loan.Current.Session != session).Select(loan => (loan, loan.Current))];
        }

        foreach ((HeldLoan held, Loan known) in others)
        {
            if (session.IsEnded)
            {
                return;
            }

            Loan again = await borrow(held.Wish);
            if (again.Descriptor is null)
            {
                continue;
            }

            if (TryMove(held, known, again))
            {
                // What is open is the same file, and stays open.
                again.Descriptor.Dispose();
            }
            else
            {
                again.GiveBack();
            }
        }
    }

    /// <summary>False when it was given back, or renewed by a later connection, meanwhile, or the node has another file of that version now.</summary>
    private bool TryMove(HeldLoan held, in Loan known, in Loan again)
    {
        lock (_lock)
        {
            if (!_loans.Contains(held) || held.Current != known || !Native.IsSameFile(known.Descriptor!, again.Descriptor!))
            {
                return false;
            }

            held.Current = again with { Descriptor = known.Descriptor };
            return true;
        }
    }

    private Loan Remove(HeldLoan held)
    {
        lock (_lock)
        {
            _loans.Remove(held);
            return held.Current;
        }
    }

    /// <summary>One file.</summary>
    private sealed class HeldLoan(HeldLoans all, Loan loan, LoanWish wish) : IFileReference
    {
        internal LoanWish Wish => wish;

        /// <summary>Guarded by the lock of all.</summary>
        internal Loan Current { get; set; } = loan;

        public void Release(ByteRange range) => all.Remove(this).GiveBack();
    }
}

/// <summary>What a mount would borrow: the whole file of one version.</summary>
/// <param name="Key">Key below the node's mount point.</param>
/// <param name="ETag">Of the version.</param>
/// <param name="Length">Of the object, bytes.</param>
internal readonly record struct LoanWish(string Key, string ETag, long Length);

/// <summary>A loan as its connection knows it; one without a descriptor is none.</summary>
/// <param name="Session">The connection.</param>
/// <param name="Number">Number of the loan on it.</param>
/// <param name="Descriptor">The file; whoever gives the loan back closes it.</param>
internal readonly record struct Loan(BorrowerSession Session, ulong Number, SafeFileHandle? Descriptor)
{
    /// <summary>Closes the file, and tells the node if the connection is still there.</summary>
    internal void GiveBack()
    {
        if (Descriptor is not null)
        {
            Descriptor.Dispose();
            Session.Return(Number);
        }
    }
}
